import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

const START_TIMEOUT_MS = 20_000;

/** Where a server process runs and on what. */
export interface ServerProcessOptions {
  /** An existing folder for the data; without it one is made and removed in the end. */
  readonly dataFolder?: string;
  /** Lines of YAML to add to the configuration. */
  readonly config?: string;
}

/** The real server in a process of its own, so that it can be killed as by `kill -9`. */
export class ServerProcess implements AsyncDisposable {
  readonly baseUrl: string;
  readonly dataFolder: string;
  readonly #ownsFolder: boolean;
  #child: ChildProcess | undefined;
  #output = '';

  private constructor(port: number, dataFolder: string, ownsFolder: boolean) {
    this.baseUrl = `http://127.0.0.1:${port}`;
    this.dataFolder = dataFolder;
    this.#ownsFolder = ownsFolder;
  }

  /** Starts a server on a free port; resolves when it answers. Registration is open and nothing is rate-limited. */
  static async start(options: ServerProcessOptions = {}): Promise<ServerProcess> {
    const dataFolder = options.dataFolder ?? (await mkdtemp(path.join(tmpdir(), 'inglenook-test-')));
    const port = await freePort();
    const server = new ServerProcess(port, dataFolder, options.dataFolder === undefined);
    await writeFile(
      path.join(dataFolder, 'config.yaml'),
      `server: { name: localhost, data_folder: '${dataFolder}' }
listeners:
  - { port: ${port}, addresses: ['127.0.0.1'], resources: [client, admin, web, health, metrics] }
registration: { open_to: everyone, shared_secret: secret }
login: { password_hash: { memory: 8K, iterations: 1, parallelism: 1 } }
rate_limits: { enabled: false }
logging: { level: warn }
${options.config ?? ''}`,
    );
    await server.launch();
    return server;
  }

  /** Starts the process (again, after `kill`) on the same data; resolves when it answers. */
  async launch(): Promise<void> {
    const main = path.join(import.meta.dirname, '../main.ts');
    const child = spawn(process.execPath, [main, 'start', '-c', path.join(this.dataFolder, 'config.yaml')], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.#child = child;
    const keep = (chunk: Buffer): void => {
      this.#output = (this.#output + chunk.toString()).slice(-20_000);
    };
    child.stdout.on('data', keep);
    child.stderr.on('data', keep);
    const deadline = performance.now() + START_TIMEOUT_MS;
    while (!(await this.isUp())) {
      if (child.exitCode !== null || performance.now() > deadline) {
        await this.kill();
        throw new Error(`The server did not start: ${this.#output}`);
      }
      await sleep(20);
    }
  }

  /** What the process has printed lately. */
  get output(): string {
    return this.#output;
  }

  get pid(): number {
    if (this.#child?.pid === undefined) throw new Error('The server is not running');
    return this.#child.pid;
  }

  /** Ends the process as a power cut would. */
  async kill(signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    const child = this.#child;
    this.#child = undefined;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const exited = once(child, 'exit');
    child.kill(signal);
    await exited;
  }

  async isUp(): Promise<boolean> {
    try {
      return (await fetch(`${this.baseUrl}/_matrix/client/versions`)).ok;
    } catch {
      return false;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill('SIGTERM');
    if (this.#ownsFolder) await rm(this.dataFolder, { recursive: true, force: true });
  }
}

async function freePort(): Promise<number> {
  const probe = createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const address = probe.address();
  probe.close();
  await once(probe, 'close');
  if (address === null || typeof address === 'string') throw new Error('A TCP server has a port');
  return address.port;
}
