/** A real Synapse from PyPI, in a virtual environment of its own: with its defaults, but loopback addresses allowed. */
import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { openSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { HttpClient } from '../../src/testing/http-client.ts';
import { freePort } from '../../src/testing/test-server.ts';
import { TestUser } from '../../src/testing/test-user.ts';
import { synapsePython } from './synapse-venv.ts';

const START_TIMEOUT_MS = 60_000;

/** The files of the authority that all servers trust, and of the certificate that this one shows. */
export interface TlsFiles {
  readonly ca: string;
  readonly certificate: string;
  readonly key: string;
}

/** A running Synapse with its data in a temporary folder. */
export class Synapse implements AsyncDisposable {
  readonly name: string;
  readonly client: HttpClient;
  readonly folder: string;
  readonly #python: string;
  readonly #port: number;
  #process: ChildProcess | undefined;

  private constructor(name: string, port: number, folder: string, python: string) {
    this.name = name;
    this.folder = folder;
    this.#port = port;
    this.#python = python;
    this.client = new HttpClient(`http://127.0.0.1:${port}`);
  }

  static async start(tls: TlsFiles): Promise<Synapse> {
    const python = synapsePython();
    const folder = await mkdtemp(path.join(tmpdir(), 'interop-synapse-'));
    const port = await freePort();
    const federationPort = await freePort();
    const name = `localhost:${federationPort}`;
    await writeFile(path.join(folder, 'homeserver.yaml'), configuration(name, port, federationPort, folder, tls));
    await writeFile(path.join(folder, 'log.yaml'), LOG_CONFIGURATION);
    await writeFile(
      path.join(folder, 'signing.key'),
      `ed25519 a_first ${randomBytes(32).toString('base64').replace(/=+$/, '')}\n`,
    );
    const synapse = new Synapse(name, port, folder, python);
    await synapse.run();
    return synapse;
  }

  /** Starts the process; resolves when it answers. */
  async run(): Promise<void> {
    const log = openSync(path.join(this.folder, 'output.log'), 'a');
    const args = ['-m', 'synapse.app.homeserver', '-c', 'homeserver.yaml'];
    this.#process = spawn(this.#python, args, { cwd: this.folder, stdio: ['ignore', log, log] });
    const until = performance.now() + START_TIMEOUT_MS;
    while (!(await this.#answers())) {
      if (this.#process.exitCode !== null || performance.now() > until)
        throw new Error(`Synapse did not start:\n${await this.log()}`);
      await sleep(100);
    }
  }

  /** `kill -9` or a graceful end. */
  async stop(signal: 'SIGKILL' | 'SIGTERM'): Promise<void> {
    const child = this.#process;
    this.#process = undefined;
    this.client.disconnect();
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const exited = once(child, 'exit');
    child.kill(signal);
    await exited;
  }

  async register(username: string): Promise<TestUser> {
    const body = { username, password: `password-${username}`, auth: { type: 'm.login.dummy' } };
    return TestUser.from(this.client, await this.client.request('POST', '/_matrix/client/v3/register', { body }));
  }

  /** Logs a user of `register` in on another device. */
  async login(username: string): Promise<TestUser> {
    const identifier = { type: 'm.id.user', user: username };
    const body = { type: 'm.login.password', identifier, password: `password-${username}` };
    return TestUser.from(this.client, await this.client.request('POST', '/_matrix/client/v3/login', { body }));
  }

  /** `kill -9`. */
  kill(): Promise<void> {
    return this.stop('SIGKILL');
  }

  /** The end of what it has logged. */
  async log(): Promise<string> {
    const text = await readFile(path.join(this.folder, 'output.log'), 'utf8');
    return text.slice(-8000);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop('SIGKILL');
    await rm(this.folder, { recursive: true, force: true });
  }

  async #answers(): Promise<boolean> {
    try {
      return (await this.client.request('GET', '/_matrix/client/versions')).status === 200 && this.#port > 0;
    } catch {
      return false;
    }
  }
}

const UNLIMITED = '{per_second: 9999, burst_count: 9999}';

function configuration(name: string, port: number, federationPort: number, folder: string, tls: TlsFiles): string {
  return `server_name: '${name}'
report_stats: false
pid_file: ${folder}/homeserver.pid
log_config: ${folder}/log.yaml
listeners:
  - {port: ${port}, bind_addresses: ['127.0.0.1'], type: http, resources: [{names: [client]}]}
  - {port: ${federationPort}, bind_addresses: ['127.0.0.1'], type: http, tls: true, resources: [{names: [federation]}]}
tls_certificate_path: ${tls.certificate}
tls_private_key_path: ${tls.key}
signing_key_path: ${folder}/signing.key
macaroon_secret_key: interop
media_store_path: ${folder}/media
database: {name: sqlite3, args: {database: ${folder}/homeserver.db}}
enable_registration: true
enable_registration_without_verification: true
bcrypt_rounds: 4
trusted_key_servers: []
federation_custom_ca_list: ['${tls.ca}']
federation_ip_range_blacklist: []
ip_range_blacklist: []
room_list_publication_rules: [{action: allow}]
allow_public_rooms_over_federation: true
rc_message: ${UNLIMITED}
rc_registration: ${UNLIMITED}
rc_joins: {local: ${UNLIMITED}, remote: ${UNLIMITED}}
rc_joins_per_room: ${UNLIMITED}
rc_invites: {per_room: ${UNLIMITED}, per_user: ${UNLIMITED}, per_issuer: ${UNLIMITED}}
rc_room_creation: ${UNLIMITED}
rc_presence: {per_user: ${UNLIMITED}}
rc_login: {address: ${UNLIMITED}, account: ${UNLIMITED}, failed_attempts: ${UNLIMITED}}
`;
}

const LOG_CONFIGURATION = `version: 1
disable_existing_loggers: false
formatters: {precise: {format: '%(asctime)s %(levelname)s %(name)s %(message)s'}}
handlers: {console: {class: logging.StreamHandler, formatter: precise}}
root: {level: INFO, handlers: [console]}
`;
