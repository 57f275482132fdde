/** A throw-away homeserver for tests, driven over HTTP: by default a process of its own, which can be killed. */
import { type ChildProcess, spawn } from 'node:child_process';
import { createHmac, randomInt } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Clock } from '../clock.ts';
import { type ConfigInput, makeConfig } from '../config/index.ts';
import { type Homeserver, startHomeserver } from '../homeserver.ts';
import { silentLogger } from '../telemetry/log.ts';
import { type ClientRequest, type ClientResponse, HttpClient } from './http-client.ts';
import { createTestDatabase, dropTestDatabase, startTestPostgres, type TestPostgres } from './postgres.ts';
import { TestUser } from './test-user.ts';

export interface TestServerOptions {
  /** Sections and keys that differ from the test defaults: everyone may register, no rate limits, cheap password hashes. */
  readonly config?: ConfigInput;
  readonly database?: 'sqlite' | 'postgres';
  /** Runs it in this process: starts faster, shows `routes`, can't be killed. */
  readonly inProcess?: boolean;
  /** Listeners beside the one on a free port that the tests talk to. */
  readonly listeners?: ConfigInput['listeners'];
  /** The time of a server in this process. */
  readonly clock?: Clock;
}

/** What the registration endpoint for administrators asks for. */
const SHARED_SECRET = 'test-shared-secret';
const START_TIMEOUT_MS = 20_000;
const MAIN = path.join(import.meta.dirname, '../main.ts');

/** A running server with its data in a temporary folder, which goes when it is disposed of. */
export class TestServer implements AsyncDisposable {
  readonly baseUrl: string;
  readonly client: HttpClient;
  readonly config: ConfigInput;
  readonly folder: string;
  readonly #options: TestServerOptions;
  readonly #cleanUp: AsyncDisposableStack;
  #homeserver: Homeserver | undefined;
  #process: ChildProcess | undefined;

  private constructor(
    options: TestServerOptions,
    config: ConfigInput,
    folder: string,
    port: number,
    cleanUp: AsyncDisposableStack,
  ) {
    this.#options = options;
    this.#cleanUp = cleanUp;
    this.config = config;
    this.folder = folder;
    this.baseUrl = `http://127.0.0.1:${port}`;
    this.client = new HttpClient(this.baseUrl);
  }

  /** Starts a server on a free port of loopback; resolves when it answers. */
  static async start(options: TestServerOptions = {}): Promise<TestServer> {
    await using cleanUp = new AsyncDisposableStack();
    const folder = await mkdtemp(path.join(tmpdir(), 'inglenook-server-'));
    cleanUp.defer(() => rm(folder, { recursive: true, force: true }));
    const port = await freePort();
    const database = options.database === 'postgres' ? await postgresSection(cleanUp) : undefined;
    const config = testConfig(options.config ?? {}, folder, port, database, options.listeners ?? []);
    const server = new TestServer(options, config, folder, port, cleanUp.move());
    try {
      await server.#run();
    } catch (error) {
      await server[Symbol.asyncDispose]();
      throw error;
    }
    return server;
  }

  /** The server itself, where it runs in this process. */
  get homeserver(): Homeserver {
    if (this.#homeserver === undefined) throw new Error('this server does not run in this process');
    return this.#homeserver;
  }

  /** The process id; undefined while it doesn't run, or runs in this process. */
  get pid(): number | undefined {
    return this.#process?.pid;
  }

  request(method: string, target: string, options: ClientRequest = {}): Promise<ClientResponse> {
    return this.client.request(method, target, options);
  }

  /** Registers an account (`admin`: with the shared secret, as an administrator) and logs it in. Its password: `password-NAME`. */
  async register(username: string, { admin = false }: { readonly admin?: boolean } = {}): Promise<TestUser> {
    const password = `password-${username}`;
    if (admin) return TestUser.from(this.client, await this.#registerAdmin(username, password));
    const target = '/_matrix/client/v3/register';
    const auth = { type: 'm.login.dummy' };
    const first = await this.request('POST', target, { body: { username, password, auth } });
    if (first.status !== 401) return TestUser.from(this.client, first);
    const body = { username, password, auth: { ...auth, session: first.body.session } };
    return TestUser.from(this.client, await this.request('POST', target, { body }));
  }

  /** Logs a user of `register` in on another device. */
  async login(username: string): Promise<TestUser> {
    const identifier = { type: 'm.id.user', user: username };
    const body = { type: 'm.login.password', identifier, password: `password-${username}` };
    return TestUser.from(this.client, await this.request('POST', '/_matrix/client/v3/login', { body }));
  }

  /** `kill -9`. */
  async kill(): Promise<void> {
    if (this.#process === undefined) throw new Error('only a server in a process of its own can be killed');
    await this.#end('SIGKILL');
  }

  /** Stops it gracefully, if it runs, and starts it again with the same data on the same port. */
  async restart(): Promise<void> {
    await this.#stop();
    await this.#run();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stop();
    await this.#cleanUp.disposeAsync();
  }

  async #registerAdmin(username: string, password: string): Promise<ClientResponse> {
    const target = '/_synapse/admin/v1/register';
    const { nonce } = (await this.request('GET', target)).body;
    const mac = createHmac('sha1', SHARED_SECRET).update([nonce, username, password, 'admin'].join('\0')).digest('hex');
    return this.request('POST', target, { body: { nonce, username, password, admin: true, mac } });
  }

  async #run(): Promise<void> {
    if (this.#options.inProcess === true) {
      const { clock } = this.#options;
      this.#homeserver = await startHomeserver(makeConfig(this.config, this.folder), {
        logger: silentLogger,
        ...(clock === undefined ? {} : { clock }),
      });
      return;
    }
    const file = path.join(this.folder, 'config.yaml');
    await writeFile(file, JSON.stringify(this.config));
    const child = spawn(process.execPath, [MAIN, 'start', '-c', file], { stdio: ['ignore', 'inherit', 'pipe'] });
    this.#process = child;
    let said = '';
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      said = (said + text).slice(-4000);
    });
    const deadline = performance.now() + START_TIMEOUT_MS;
    while (!(await this.#answers())) {
      if (child.exitCode !== null || performance.now() > deadline)
        throw new Error(`The server did not start:\n${said}`);
      await sleep(20);
    }
  }

  async #answers(): Promise<boolean> {
    try {
      return (await this.request('GET', '/health')).status === 200;
    } catch {
      return false;
    }
  }

  async #stop(): Promise<void> {
    this.client.disconnect();
    await this.#end('SIGTERM');
    await this.#homeserver?.[Symbol.asyncDispose]();
    this.#homeserver = undefined;
  }

  async #end(signal: 'SIGKILL' | 'SIGTERM'): Promise<void> {
    const child = this.#process;
    this.#process = undefined;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const exited = once(child, 'exit');
    child.kill(signal);
    await exited;
  }
}

function testConfig(
  changes: ConfigInput,
  folder: string,
  port: number,
  database: ConfigInput['database'],
  listeners: NonNullable<ConfigInput['listeners']>,
): ConfigInput {
  const cheapHash = { memory: '8K', iterations: 1, parallelism: 1 };
  return {
    ...changes,
    server: { name: 'example.org', data_folder: folder, ...changes.server },
    listeners: changes.listeners ?? [
      { port, addresses: ['127.0.0.1'], resources: ['client', 'federation', 'admin', 'web', 'health', 'metrics'] },
      ...listeners,
    ],
    database: database ?? changes.database,
    registration: { open_to: 'everyone', guests: true, shared_secret: SHARED_SECRET, ...changes.registration },
    login: { password_hash: cheapHash, ...changes.login },
    rate_limits: { enabled: false, ...changes.rate_limits },
    web: { client: false, ...changes.web },
    logging: { level: 'error', ...changes.logging },
  };
}

/** A new database on the PostgreSQL of INGLENOOK_TEST_POSTGRES, or on one that is started for it. */
async function postgresSection(cleanUp: AsyncDisposableStack): Promise<ConfigInput['database']> {
  const setting = process.env.INGLENOOK_TEST_POSTGRES ?? 'embedded';
  let started: TestPostgres | undefined;
  if (setting === 'embedded') started = cleanUp.use(await startTestPostgres());
  const adminUrl = started?.url ?? setting;
  const database = await createTestDatabase(adminUrl);
  cleanUp.defer(() => dropTestDatabase(adminUrl, database));
  const url = new URL(database);
  return {
    type: 'postgres',
    postgres: {
      host: url.hostname,
      ...(url.port === '' ? {} : { port: Number(url.port) }),
      database: url.pathname.slice(1),
      user: decodeURIComponent(url.username),
      ...(url.password === '' ? {} : { password: decodeURIComponent(url.password) }),
    },
  };
}

/** Below the ports that the system gives to outgoing connections: those of other tests would take one meanwhile. */
const PORTS_FROM = 10_000;
const PORTS_TO = 32_000;
const TRIES_MAX = 50;

/** A port that was free a moment ago; it must be known beforehand, since a restarted server listens on it again. */
export async function freePort(): Promise<number> {
  for (let tries = 0; tries < TRIES_MAX; tries++) {
    const port = randomInt(PORTS_FROM, PORTS_TO);
    if (await isFree(port)) return port;
  }
  throw new Error('no free port');
}

async function isFree(port: number): Promise<boolean> {
  const probe = createServer().listen(port, '127.0.0.1');
  try {
    await once(probe, 'listening');
  } catch {
    return false;
  }
  probe.close();
  await once(probe, 'close');
  return true;
}
