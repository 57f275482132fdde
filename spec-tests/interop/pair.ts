/** A server of ours and a Synapse that know each other. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { HttpClient } from '../../src/testing/http-client.ts';
import { writeCertificates } from '../../src/testing/network.ts';
import { eventually, membership } from '../../src/testing/room-client.ts';
import { freePort, TestServer } from '../../src/testing/test-server.ts';
import type { TestUser } from '../../src/testing/test-user.ts';
import { Synapse } from './synapse.ts';

/** One of the two servers, with a user. */
export interface Side {
  /** The server's name. */
  readonly name: string;
  readonly baseUrl: string;
  readonly client: HttpClient;
  readonly user: TestUser;
  register(username: string): Promise<TestUser>;
  /** Another session of a user of `register`. */
  login(username: string): Promise<TestUser>;
  /** `kill -9`. */
  kill(): Promise<void>;
  /** Starts it again after `kill`. */
  run(): Promise<void>;
}

/** The two servers. Disposing of it stops both. */
export interface Pair extends AsyncDisposable {
  readonly ours: Side;
  readonly theirs: Side;
}

/** `host`: how our server is called, before its port. */
export async function startPair({ host = 'localhost' }: { readonly host?: string } = {}): Promise<Pair> {
  await using parts = new AsyncDisposableStack();
  const folder = await mkdtemp(path.join(tmpdir(), 'interop-'));
  parts.defer(() => rm(folder, { recursive: true, force: true }));
  const files = await writeCertificates(folder);
  const [server, synapse] = await Promise.all([startOurs(host, files), Synapse.start(files)]);
  parts.use(server.server);
  parts.use(synapse);
  const ours = await sideOf(server.name, server.server, () => server.server.restart());
  const theirs = await sideOf(synapse.name, synapse, () => synapse.run());
  const running = parts.move();
  return { ours, theirs, [Symbol.asyncDispose]: () => running.disposeAsync() };
}

async function startOurs(host: string, files: Awaited<ReturnType<typeof writeCertificates>>) {
  const port = await freePort();
  const name = `${host}:${port}`;
  const listener = { port, addresses: ['127.0.0.1'], resources: ['federation' as const], tls: true };
  const server = await TestServer.start({
    listeners: [{ ...listener, certificate_file: files.certificate, key_file: files.key }],
    config: {
      server: { name },
      federation: { allow_private_addresses: true, ca_file: files.ca },
      logging: { level: 'error' },
    },
  });
  return { name, server };
}

async function sideOf(
  name: string,
  server: Pick<TestServer, 'client' | 'register' | 'login' | 'kill'>,
  run: () => Promise<void>,
): Promise<Side> {
  const user = await server.register('user');
  return {
    name,
    baseUrl: server.client.baseUrl,
    client: server.client,
    user,
    register: (username) => server.register(username),
    login: (username) => server.login(username),
    kill: () => server.kill(),
    run,
  };
}

/** Waits until a user of the other server has joined. */
export async function arrived(viewer: TestUser, roomId: string, userId: string): Promise<void> {
  await eventually(
    () => membership(viewer, roomId, userId),
    (is) => is === 'join',
  );
}
