// Installs what is missing, finds the Node that this project runs on (the npm package `node`), and runs one thing with it.
// Runs on Node 20 and newer, without any package.
'use strict';

const { spawn, spawnSync } = require('node:child_process');
const fs = require('node:fs');
const path = require('node:path');

const ROOT = path.join(__dirname, '..');
const NODE_MAJOR_MIN = 24;

/** What `npm run NAME` runs. In an installed package there is only dist/. */
const ENTRIES = {
  start: ['src/main.ts'],
  test: ['scripts/test.mjs'],
  script: [],
};

/** `run(['start', …])`: the server or its other commands; `test`: all tests; `script FILE …`: one file. */
exports.run = (argv) => {
  const isCheckout = fs.existsSync(path.join(ROOT, 'src/main.ts'));
  if (!isCheckout) return exec(findNode(), [path.join(ROOT, 'dist/main.js'), ...argv]);
  const [name, ...rest] = argv;
  const entry = ENTRIES[name];
  // Without `npm run` (a linked `inglenook` command) all arguments are the program's.
  const args = entry === undefined ? [...ENTRIES.start, ...argv] : [...entry, ...rest];
  if (!isInstalled()) install();
  exec(findNode(), [path.join(ROOT, args[0]), ...args.slice(1)]);
};

/** Whether node_modules holds the versions of package-lock.json, by npm's own record of what it has installed. */
function isInstalled() {
  const wanted = readJson('package-lock.json');
  const present = readJson('node_modules/.package-lock.json');
  if (wanted === undefined || present === undefined) return false;
  return Object.entries(wanted.packages).every(([place, { version, optional, devOptional, link }]) => {
    if (place === '' || link) return true;
    const installed = present.packages[place];
    return installed === undefined ? optional || devOptional : installed.version === version;
  });
}

function readJson(file) {
  try {
    return JSON.parse(fs.readFileSync(path.join(ROOT, file), 'utf8'));
  } catch {
    return undefined;
  }
}

/** Quietly: npm's warnings are about the Node that runs npm (it needs no more than that) and about skipped scripts. */
function install() {
  console.error('Installing dependencies (npm ci) …');
  // With the development packages also where NODE_ENV is production: the web client is built with them.
  const args = ['ci', '--include=dev', '--loglevel=error', '--no-audit', '--no-fund'];
  const result = runNpm(args);
  if (result.status !== 0) {
    console.error('npm ci failed; see above.');
    process.exit(1);
  }
  // For spec-tests/launch, which would otherwise do it at its first start.
  spawnSync(findNode(), [path.join(ROOT, 'scripts/build.mjs')], { cwd: ROOT, stdio: ['ignore', 'ignore', 'ignore'] });
}

function runNpm(args) {
  const options = { cwd: ROOT, stdio: ['ignore', 2, 2] };
  const npm = process.env.npm_execpath;
  if (npm?.endsWith('.js')) return spawnSync(process.execPath, [npm, ...args], options);
  return spawnSync('npm', args, { ...options, shell: process.platform === 'win32' });
}

/**
 * The Node to run with: that of the npm package `node`. Where npm has not run that package's install script, it is run
 * here; where that fails too, this very Node does if it is new enough.
 */
function findNode() {
  const folder = packageFolder('node');
  if (folder !== undefined) {
    const bundled = path.join(folder, 'bin', process.platform === 'win32' ? 'node.exe' : 'node');
    if (works(bundled)) return bundled;
    spawnSync(process.execPath, ['installArchSpecificPackage'], { cwd: folder, stdio: 'ignore' });
    if (works(bundled)) return bundled;
  }
  if (Number(process.versions.node.split('.')[0]) >= NODE_MAJOR_MIN) return process.execPath;
  console.error(
    `The npm package "node" could not be installed, and this Node (${process.versions.node}) is older than ${NODE_MAJOR_MIN}.\n` +
      'Install a newer Node, or allow install scripts of that package and run npm ci.',
  );
  return process.exit(1);
}

function packageFolder(name) {
  try {
    return path.dirname(require.resolve(`${name}/package.json`, { paths: [ROOT] }));
  } catch {
    return undefined;
  }
}

function works(node) {
  return fs.existsSync(node) && spawnSync(node, ['--version'], { stdio: 'ignore' }).status === 0;
}

/** Runs a program in place of this one, as nearly as Node can: same streams, signals passed on, same end. */
function exec(program, args) {
  // Tests and scripts that start `node` get the same one.
  const env = { ...process.env, PATH: `${path.dirname(program)}${path.delimiter}${process.env.PATH ?? ''}` };
  if (typeof process.execve === 'function') process.execve(program, [program, ...args], env);
  const child = spawn(program, args, { stdio: 'inherit', env });
  for (const signal of ['SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal));
  // A terminal sends SIGINT to the child as well.
  process.on('SIGINT', () => process.stdin.isTTY || child.kill('SIGINT'));
  child.on('error', (error) => {
    console.error(`cannot run ${program}: ${error.message}`);
    process.exit(1);
  });
  child.on('exit', (code, signal) => {
    if (signal === null) process.exit(code ?? 1);
    process.removeAllListeners(signal);
    process.kill(process.pid, signal);
  });
}
