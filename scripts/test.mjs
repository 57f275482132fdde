// `npm test`: type check, lint and all tests that need nothing but this checkout. `npm test -- src/rooms` runs only
// the tests below that folder (or of that file).
import { spawnSync } from 'node:child_process';
import { globSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import path from 'node:path';

const ROOT = path.join(import.meta.dirname, '..');
// Suites of their own: the browser needs Chromium, interop a Synapse, bots a Python, scanning a ClamAV, turn a coturn, and durability and growth take their time.
const SLOW = /^spec-tests[/\\](bots|browser|growth|interop|durability|scanning|turn)[/\\]/;

const only = process.argv.slice(2).map((name) => path.relative(ROOT, path.resolve(name)));
const files = globSync(['src/**/*.test.ts', 'spec-tests/**/*.test.ts', 'bench/**/*.test.ts'], { cwd: ROOT })
  .filter((file) => (only.length === 0 ? !SLOW.test(file) : only.some((name) => isBelow(file, name))))
  .toSorted();

// --test-force-exit: matrix-js-sdk leaves timers of two minutes behind when a client stops.
const steps = [
  ...(only.length > 0
    ? []
    : [
        ['type check', ['node_modules/typescript/bin/tsc', '-p', '.']],
        ['type check of the web client', ['node_modules/typescript/bin/tsc', '-p', 'src/web/client', '--noEmit']],
        ['lint', ['node_modules/@biomejs/biome/bin/biome', 'check', '--diagnostic-level=warn']],
      ]),
  [
    `tests (${files.length} files)`,
    [
      '--test',
      ...concurrency(),
      `--test-timeout=${only.length > 0 ? 600_000 : 120_000}`,
      '--test-force-exit',
      ...files,
    ],
  ],
];

const outcomes = steps.map(([name, args]) => {
  console.log(`\n== ${name}`);
  const startMs = performance.now();
  const { status } = spawnSync(process.execPath, args, { cwd: ROOT, stdio: 'inherit' });
  return { name, passed: status === 0, seconds: (performance.now() - startMs) / 1000 };
});

console.log('\n== summary');
for (const { name, passed, seconds } of outcomes) {
  console.log(`${passed ? 'ok    ' : 'FAILED'}  ${name} (${seconds.toFixed(1)} s)`);
}
process.exitCode = outcomes.every(({ passed }) => passed) ? 0 : 1;

function concurrency() {
  return [`--test-concurrency=${Math.max(2, availableParallelism())}`];
}

function isBelow(file, name) {
  return name === '' || file === name || file.startsWith(name + path.sep);
}
