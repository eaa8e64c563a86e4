// Measures the figures of docs/bench.md anew: runs the command of each block there, puts its table in place of the old one
// and its plots, as far as the page shows them, below docs/bench. Takes a few minutes on an idle machine.
// Usage: npm run build && node scripts/bench/figures.mjs [NAME …]
import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const PAGE = 'docs/bench.md';
const BLOCK = /<!-- bench: ([\w-]+) -->\n```sh\nflavr (.*)\n```\n+```text\n[^`]*```/g;
const CLI = 'dist/cli/main.js';

const page = readFileSync(PAGE, 'utf8');
const names = [...page.matchAll(BLOCK)].map(([, name]) => name);
const wanted = process.argv.length > 2 ? process.argv.slice(2) : names;
for (const name of wanted) {
  if (!names.includes(name)) throw new Error(`${PAGE} has no block ${name}; its blocks are ${names.join(', ')}.`);
}

for (const name of wanted) {
  const [block, , command] = [...page.matchAll(BLOCK)].find((match) => match[1] === name);
  const folder = join('docs', 'bench', name);
  const words = [CLI, ...command.split(' '), '--plots', folder, '--overwrite'];
  const text = execFileSync(process.execPath, words, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] });
  for (const file of readdirSync(folder)) {
    if (!page.includes(`bench/${name}/${file}`)) rmSync(join(folder, file));
  }
  if (readdirSync(folder).length === 0) rmSync(folder, { recursive: true });
  const table = block.replace(/```text\n[^`]*```/, () => `\`\`\`text\n${text.trimEnd()}\n\`\`\``);
  // Read again: another run of this may have written its blocks meanwhile.
  const now = readFileSync(PAGE, 'utf8');
  const before = [...now.matchAll(BLOCK)].find((match) => match[1] === name)[0];
  writeFileSync(
    PAGE,
    now.replace(before, () => table),
  );
  console.log(`${name}: ${command}`);
}
