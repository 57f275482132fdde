/** Opens the listeners of the configuration: TCP and unix sockets, plain and TLS; closes them gracefully. */
import { chmod, readFile, unlink } from 'node:fs/promises';
import { createServer, type RequestListener, type Server, type ServerOptions } from 'node:http';
import { connect, type Socket } from 'node:net';
import type { ListenerConfig } from '../config/index.ts';
import type { Logger } from '../telemetry/log.ts';
import type { Fallback, Pipeline } from './pipeline.ts';
import { selfSignedCertificate } from './self-signed-certificate.ts';

export interface ListenersOptions {
  readonly listeners: readonly ListenerConfig[];
  readonly pipeline: Pipeline;
  /** Start page and web client, for the listeners with the `web` resource. */
  readonly web?: Fallback | undefined;
  /** Where a self-signed certificate is kept. */
  readonly dataFolder: string;
  readonly serverName: string;
  /** How long running requests may still take on shutdown. */
  readonly shutdownTimeoutMs: number;
  readonly logger: Logger;
}

/** One address that is listened on. */
export interface BoundAddress {
  /** `http://127.0.0.1:8008`, `https://[::1]:8448`, or `unix:/run/inglenook.sock`. */
  readonly url: string;
  readonly resources: ListenerConfig['resources'];
}

/** The open listeners. Disposing of them stops accepting, ends waiting requests, lets the rest finish, and closes. */
export interface Listeners extends AsyncDisposable {
  readonly addresses: readonly BoundAddress[];
}

/**
 * Limits of each listener. Idle connections are kept longer than the minute after which most proxies give theirs up, since
 * a request that meets a closing connection fails. Uploads over slow lines need long; JSON bodies have a limit of their own.
 */
const SERVER_OPTIONS = {
  keepAliveTimeout: 75_000,
  headersTimeout: 20_000,
  requestTimeout: 3_600_000,
  connectionsCheckingInterval: 5_000,
  maxHeaderSize: 32 * 1024,
  noDelay: true,
  optimizeEmptyRequests: true,
} as const satisfies ServerOptions & { optimizeEmptyRequests: boolean };

const CONNECTIONS_MAX = 50_000;
const HEADERS_MAX = 200;

/** Opens all listeners; rejects, with none left open, where one can't be opened. */
export async function startListeners(options: ListenersOptions): Promise<Listeners> {
  const servers: Server[] = [];
  const addresses: BoundAddress[] = [];
  try {
    for (const listener of options.listeners) {
      const opened = await openListener(listener, options);
      servers.push(...opened.servers);
      addresses.push(...opened.addresses);
    }
  } catch (error) {
    for (const server of servers) server.close();
    throw error;
  }
  return {
    addresses,
    async [Symbol.asyncDispose]() {
      const closed = Promise.all(servers.map((server) => closeGracefully(server, options.shutdownTimeoutMs)));
      options.pipeline.abortWaiting();
      await closed;
    },
  };
}

interface Opened {
  readonly servers: readonly Server[];
  readonly addresses: readonly BoundAddress[];
}

async function openListener(listener: ListenerConfig, options: ListenersOptions): Promise<Opened> {
  const { resources } = listener;
  const web = resources.includes('web') ? options.web : undefined;
  const handle = options.pipeline.listener(new Set(resources), web);
  const make = await serverMaker(listener, options, handle);
  if (listener.unix_socket !== undefined) {
    const server = make();
    await listenOnUnixSocket(server, listener.unix_socket, Number.parseInt(listener.unix_socket_mode, 8));
    return { servers: [server], addresses: [{ url: `unix:${listener.unix_socket}`, resources }] };
  }
  const servers: Server[] = [];
  const addresses: BoundAddress[] = [];
  let port = listener.port ?? 0;
  for (const address of listener.addresses) {
    const server = make();
    try {
      await listen(server, { host: address, port, ipv6Only: address.includes(':') && listener.addresses.length > 1 });
    } catch (error) {
      if (servers.length > 0 && isAddressMissing(error)) {
        options.logger.warn({ address, port }, 'this machine has no such address: not listening on it');
        continue;
      }
      for (const open of servers) open.close();
      throw error;
    }
    servers.push(server);
    const bound = server.address();
    // With port 0, all addresses get the port that the first one got.
    if (typeof bound === 'object' && bound !== null) port = bound.port;
    const host = address.includes(':') ? `[${address}]` : address;
    addresses.push({ url: `${listener.tls ? 'https' : 'http'}://${host}:${port}`, resources });
  }
  return { servers, addresses };
}

/** Machines without IPv6 have no `::1`; that is no reason not to start. */
function isAddressMissing(error: unknown): boolean {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  return code === 'EADDRNOTAVAIL' || code === 'EAFNOSUPPORT' || code === 'EINVAL';
}

async function serverMaker(
  listener: ListenerConfig,
  options: ListenersOptions,
  handle: RequestListener,
): Promise<() => Server> {
  if (!listener.tls) return () => withLimits(createServer(SERVER_OPTIONS, handle));
  const { createServer: createTlsServer } = await import('node:https');
  const { cert, key } = await certificateOf(listener, options);
  return () => withLimits(createTlsServer({ ...SERVER_OPTIONS, cert, key, minVersion: 'TLSv1.2' }, handle));
}

async function certificateOf(listener: ListenerConfig, options: ListenersOptions) {
  if (listener.certificate_file !== undefined && listener.key_file !== undefined) {
    return { cert: await readFile(listener.certificate_file), key: await readFile(listener.key_file) };
  }
  return selfSignedCertificate(options.dataFolder, options.serverName);
}

function withLimits(server: Server): Server {
  server.maxConnections = CONNECTIONS_MAX;
  server.maxHeadersCount = HEADERS_MAX;
  server.on('clientError', refuseBrokenRequest);
  return server;
}

/** Answers what isn't HTTP, or exceeds the limits, as far as there is somebody to answer. */
function refuseBrokenRequest(error: Error & { code?: string }, socket: Socket): void {
  if (!socket.writable || socket.bytesWritten > 0 || error.code === 'ECONNRESET') {
    socket.destroy();
    return;
  }
  const [status, reason] = BROKEN_REQUESTS.get(error.code ?? '') ?? [
    '400 Bad Request',
    'The request is not valid HTTP',
  ];
  const body = JSON.stringify({ errcode: 'M_UNRECOGNIZED', error: reason });
  socket.end(
    `HTTP/1.1 ${status}\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\nconnection: close\r\n\r\n${body}`,
  );
}

const BROKEN_REQUESTS: ReadonlyMap<string, readonly [status: string, reason: string]> = new Map([
  ['HPE_HEADER_OVERFLOW', ['431 Request Header Fields Too Large', 'The headers are too large']],
  ['ERR_HTTP_REQUEST_TIMEOUT', ['408 Request Timeout', 'The request took too long']],
]);

function listen(
  server: Server,
  where: { host: string; port: number; ipv6Only: boolean } | { path: string },
): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(where, () => {
      server.off('error', reject);
      resolve();
    });
  });
}

async function listenOnUnixSocket(server: Server, path: string, mode: number): Promise<void> {
  try {
    await listen(server, { path });
  } catch (error) {
    // The socket of a server that was killed stays behind; one that still answers is not ours to remove.
    if (!isInUse(error) || (await answers(path))) throw error;
    await unlink(path);
    await listen(server, { path });
  }
  await chmod(path, mode);
}

function isInUse(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'EADDRINUSE';
}

function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path);
    socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
    socket.once('connect', () => socket.destroy());
  });
}

/** How often connections that became idle are closed while the server waits for the busy ones. */
const IDLE_SWEEP_MS = 50;

function closeGracefully(server: Server, timeoutMs: number): Promise<void> {
  return new Promise((resolve) => {
    const sweep = setInterval(() => server.closeIdleConnections(), IDLE_SWEEP_MS);
    const end = setTimeout(() => server.closeAllConnections(), timeoutMs);
    server.close(() => {
      clearInterval(sweep);
      clearTimeout(end);
      resolve();
    });
  });
}
