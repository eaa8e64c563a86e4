import type { BackendName } from './backends/backend.js';
import { type CacheUsage, EngineCache } from './engine/cache.js';
import { INSTALL, type ProbeReport, probe } from './engine/probe.js';
import { packageVersion } from './package.js';
import { importPeer, PEERS, type Peer } from './peers.js';

/** Whether something that flavr can use is there, and the exact fix if not. */
export interface Finding {
  readonly name: string;
  readonly ok: boolean;
  /** What was found, or what is missing and what to do. */
  readonly detail: string;
}

/** What this machine can run: plain data, as `flavr doctor --json` prints it. */
export interface Diagnosis {
  readonly flavr: string;
  readonly node: string;
  readonly backends: readonly { readonly name: BackendName; readonly problem?: string }[];
  readonly findings: readonly Finding[];
  readonly cache: CacheUsage;
  readonly probe: ProbeReport;
}

const gigabytes = (bytes: number): string => `${(bytes / 2 ** 30).toFixed(1)} GiB`;

async function inspectPeer(peer: Peer): Promise<Finding> {
  try {
    await importPeer(peer);
    // Its npm licence alone would mislead those who pass the binary on.
    const licence = peer === 'node-av' ? '; its FFmpeg binary is under the GPL, version 3 or later' : '';
    return { name: peer, ok: true, detail: `installed, for ${PEERS[peer]}${licence}` };
  } catch (error) {
    return { name: peer, ok: false, detail: (error as Error).message };
  }
}

function inspectMachine({ addon, driver, libraries, rejected }: ProbeReport): Finding[] {
  const findings: Finding[] = [
    'problem' in addon
      ? { name: 'native addon', ok: false, detail: addon.problem }
      : { name: 'native addon', ok: true, detail: addon.path },
  ];
  if ('problem' in addon) return findings;
  if ('problem' in driver) {
    findings.push({ name: 'NVIDIA driver', ok: false, detail: driver.problem });
  } else {
    findings.push({ name: 'NVIDIA driver', ok: true, detail: `for CUDA ${driver.cudaVersion}` });
    for (const [i, { name, computeCapability, memoryBytes }] of driver.devices.entries()) {
      const detail = `${name}, compute capability ${computeCapability}, ${gigabytes(memoryBytes)}`;
      findings.push({ name: `GPU ${i}`, ok: true, detail });
    }
  }
  for (const { family, version, path, place, parserProblem } of libraries) {
    const name = family === 'tensorrt-rtx' ? 'TensorRT-RTX' : 'TensorRT';
    const detail = `${version} at ${path} (${place})${parserProblem ? `; ${parserProblem}` : ''}`;
    findings.push({ name, ok: parserProblem === undefined, detail });
  }
  if (libraries.length === 0) {
    const detail = `no library was found. For data-centre and older GPUs: ${INSTALL.tensorrt}. For RTX GPUs: ${INSTALL['tensorrt-rtx']}.`;
    findings.push({ name: 'TensorRT', ok: false, detail });
  }
  for (const { name, problem } of rejected)
    findings.push({ name: 'TensorRT', ok: false, detail: `${name}: ${problem}` });
  return findings;
}

/** The backends in the order in which `auto` tries them, each with the reason why it cannot run here. */
function judgeBackends({ unavailable }: ProbeReport, peers: readonly Finding[]): Diagnosis['backends'] {
  const runtime = peers.find(({ name }) => name === 'onnxruntime-node')!;
  const problems = { ...unavailable, ...(!runtime.ok && { cpu: runtime.detail }) };
  return (['tensorrt', 'tensorrt-rtx', 'cpu'] as const).map((name) => {
    const problem = problems[name];
    return { name, ...(problem !== undefined && { problem }) };
  });
}

/** Looks at everything that decides what flavr can do on this machine. Changes nothing and downloads nothing. */
export async function diagnose(options: { readonly cacheDir?: string | undefined } = {}): Promise<Diagnosis> {
  const report = await probe();
  const peers: Finding[] = [];
  for (const peer of Object.keys(PEERS) as Peer[]) peers.push(await inspectPeer(peer));
  return {
    flavr: packageVersion(),
    node: process.versions.node,
    backends: judgeBackends(report, peers),
    findings: [...inspectMachine(report), ...peers],
    cache: await new EngineCache(options.cacheDir).usage(),
    probe: report,
  };
}

/** The diagnosis as lines for people. */
export function formatDiagnosis({ flavr, node, probe: { platform }, backends, findings, cache }: Diagnosis): string[] {
  const width = Math.max(...findings.map(({ name }) => name.length));
  const reason = (problem: string) => {
    const told = findings.find(({ detail }) => detail === problem);
    return told ? `${told.name} is missing, as said above` : problem;
  };
  return [
    `flavr ${flavr} on ${platform}, Node ${node}`,
    '',
    ...findings.map(({ name, ok, detail }) => `${ok ? 'ok     ' : 'missing'}  ${name.padEnd(width)}  ${detail}`),
    '',
    ...backends.map(
      ({ name, problem }) => `backend ${name}: ${problem === undefined ? 'can run' : `cannot run: ${reason(problem)}`}`,
    ),
    '',
    `engine cache: ${cache.folder}, ${cache.engines} engines, ${gigabytes(cache.bytes)} of at most ${gigabytes(cache.limitBytes)}`,
  ];
}
