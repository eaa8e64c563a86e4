import { barChart } from '../../../dist/report/bar-chart.js';

// Compilers and libraries explain themselves over pages; the JSON report has all of it.
const LONGEST_REASON = 160;
// Of a machine that does nothing else it is 1 to 3 %.
const MOST_SPREAD = 0.08;

/**
 * How many times as fast ours is as the fastest peer on its device: for each way that ours is run, and each precision of
 * peers, those that take one window in a run apart from those that take more.
 * @param rows what measurePeers returned
 */
export function headlines(rows) {
  const timed = rows.filter(({ status }) => status === 'timed');
  return timed
    .filter(({ ours }) => ours)
    .flatMap(({ name, device, timing }) => {
      const peers = timed.filter((row) => !row.ours && row.device === device);
      return fastest(peers).map(({ name: peer, precision, batch, timing: its }) => {
        return { ours: name, device, precision, batch, peer, ratio: its.median / timing.median };
      });
    });
}

/** The fastest peer of each precision and batch. */
function fastest(peers) {
  const best = new Map();
  for (const row of peers) {
    const kind = `${row.precision} ${row.batch}`;
    if (!best.has(kind) || row.timing.median < best.get(kind).timing.median) best.set(kind, row);
  }
  return [...best.values()];
}

/** A size's result as lines of Markdown that read well on a terminal too. */
export function describeSize({ width, height, factor, threads, runs, model, rows }) {
  const untimed = rows.filter(({ status }) => status !== 'timed');
  return [
    `${model}, k = ${factor}, ${width}x${height}, ${threads} threads, median of ${runs} runs each:`,
    '',
    ...table(rows),
    '',
    ...headlines(rows).map(
      ({ ours, precision, batch, peer, ratio }) =>
        `- **${ours}: ${ratio.toFixed(2)} times** as fast as the fastest ${precision} peer${batch > 1 ? ` that takes ${batch} windows at a time` : ''} (${peer})`,
    ),
    ...(untimed.length > 0 ? ['', 'Not timed:', '', ...reasons(untimed)] : []),
  ];
}

/** One line for each reason, with all that it keeps from being timed. */
function reasons(rows) {
  const names = new Map();
  for (const { name, status, reason } of rows) {
    const why = `${status === 'refused' ? 'refused, ' : ''}${shorten(reason)}`;
    names.set(why, [...(names.get(why) ?? []), name]);
  }
  return [...names].map(([why, which]) => `- ${which.join('; ')}: ${why}`);
}

const shorten = (reason) => (reason.length > LONGEST_REASON ? `${reason.slice(0, LONGEST_REASON - 1)}…` : reason);

/** Bars of all that was timed, as SVG. */
export function chartSize({ width, height, factor, threads, model, rows }) {
  const bars = rows
    .filter(({ status }) => status === 'timed')
    .map(({ name, ours, precision, timing }) => ({
      name: precision === 'fp32' ? name : `${name}, ${precision}`,
      value: timing.median,
      group: ours ? 0 : 1,
    }));
  const title = `${model}, k = ${factor}, ${width}x${height}, ${threads} threads: time of one window`;
  return barChart({ title, xLabel: 'ms, shorter is faster', bars, caption: 'fp32 where nothing else is said.' });
}

function table(rows) {
  const timed = rows.filter(({ status }) => status === 'timed');
  const cells = [
    ['', 'on', 'precision', 'ms per window', 'spread', 'times ours', 'largest difference', 'PSNR/dB'],
    ...timed.map(({ name, ours, device, precision, timing, agreement }) => {
      const reference = timed.find((row) => row.ours && row.device === device);
      return [
        ours ? `**${name}**` : name,
        device,
        precision,
        timing.median.toFixed(timing.median < 100 ? 1 : 0),
        `${(timing.spread * 100).toFixed(1)} %`,
        reference ? (timing.median / reference.timing.median).toFixed(2) : '',
        agreement ? agreement.maxDifference.toExponential(1) : '',
        agreement ? (agreement.psnr?.toFixed(1) ?? 'the same') : '',
      ];
    }),
  ];
  const widths = cells[0].map((_, column) => Math.max(3, ...cells.map((row) => row[column].length)));
  const line = (row) => `| ${row.map((cell, column) => cell.padEnd(widths[column])).join(' | ')} |`;
  const [head, ...body] = cells.map(line);
  return [head, line(widths.map((width) => '-'.repeat(width))), ...body];
}

/** The machine and every version that a figure depends on, as one paragraph. */
export function describeMachine({ environment, instructions, python }) {
  const { processor, cores, memoryGiB, node, libraries, commit } = environment;
  const versions = python && {
    PyTorch: python.torch,
    oneDNN: python.oneDNN,
    MKL: python.MKL,
    cuDNN: python.cuDNN && cudnnVersion(python.cuDNN),
    CUDA: python.device && python.CUDA,
    GPU: python.device,
    Python: python.python,
    numpy: python.numpy,
    onnx: python.onnx,
    onnxscript: python.onnxscript,
    "Python's onnxruntime": python.onnxruntime ?? 'not installed',
  };
  const known = Object.entries({ Node: node, 'onnxruntime-node': libraries['onnxruntime-node'], ...versions });
  return [
    `${processor}, ${cores} cores, ${memoryGiB} GiB, ${instructions}; commit ${commit ?? 'unknown'}`,
    ...known.filter(([, version]) => version).map(([name, version]) => `${name} ${version}`),
  ].join('; ');
}

/** As NVIDIA writes it; the library gives one number. */
const cudnnVersion = (number) => [Math.floor(number / 10_000), Math.floor(number / 100) % 100, number % 100].join('.');

/** What would make a comparison flatter one side. */
export function warnings({ rows }, python) {
  const found = [];
  const restless = rows.filter(({ timing }) => timing?.spread > MOST_SPREAD).map(({ name }) => name);
  if (restless.length > 0) {
    found.push(
      `Warning: single runs scattered by more than ${MOST_SPREAD * 100} % (${restless.join('; ')}): measure again on an idle machine. PyTorch loses most by company, since its threads wait for one another.`,
    );
  }
  const { torch = '', cuDNN } = python ?? {};
  if (torch.startsWith('2.9.') && cuDNN >= 90_800 && cuDNN < 91_500) {
    found.push(
      `Warning: PyTorch ${torch} does not use cuDNN ${cudnnVersion(cuDNN)} for 3-D convolutions, which 9.8 to 9.13 computed wrongly: they are several times slower than with PyTorch 2.10 or cuDNN 9.15.`,
    );
  }
  return found.flatMap((warning) => [warning, '']);
}

/**
 * Puts lines into a Markdown text: in the place of those that were put there under the same name, else at its end.
 */
export function putBlock(text, name, lines) {
  const [start, end] = [`<!-- ${name} -->`, `<!-- end of ${name} -->`];
  const block = [start, ...lines, end].join('\n');
  const [from, to] = [text.indexOf(start), text.indexOf(end)];
  if (from < 0 || to < from) return `${text.trimEnd()}\n\n${block}\n`.trimStart();
  return text.slice(0, from) + block + text.slice(to + end.length);
}
