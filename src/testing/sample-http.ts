/** The HTTP layer alone, with sample routes of each kind: for its own tests, without a homeserver around it. */
import { z } from 'zod';
import { systemClock } from '../clock.ts';
import { makeConfig } from '../config/index.ts';
import {
  type Authenticator,
  createRemoteOf,
  healthRoutes,
  jsonObjectSchema,
  type Listeners,
  metricsRoutes,
  Pipeline,
  type PipelineOptions,
  queryInteger,
  queryStrings,
  RateLimits,
  type Requester,
  type Route,
  rawJson,
  route,
  startListeners,
} from '../http/index.ts';
import { unknownToken } from '../protocol/errors.ts';
import { parseDeviceId, parseUserId } from '../protocol/ids/index.ts';
import { silentLogger } from '../telemetry/log.ts';
import { Metrics } from '../telemetry/metrics.ts';
import { HttpClient } from './http-client.ts';

const alice = parseUserId('@alice:example.org');
if (alice === undefined) throw new Error('the sample user id is not one');

const PLAIN: Requester = {
  userId: alice,
  deviceId: parseDeviceId('DEVICE'),
  isGuest: false,
  isAdmin: false,
  isSuspended: false,
  isLocked: false,
  tokenId: 1,
};

/** The sample users by their tokens. */
const USERS: Readonly<Record<string, Requester>> = {
  user: PLAIN,
  guest: { ...PLAIN, isGuest: true },
  admin: { ...PLAIN, isAdmin: true },
  locked: { ...PLAIN, isLocked: true },
  suspended: { ...PLAIN, isSuspended: true },
};

const authenticator: Authenticator = {
  authenticate(token) {
    const requester = USERS[token];
    if (requester === undefined) throw unknownToken('Unrecognised access token');
    return requester;
  },
};

const spec = 'inglenook';

/** One route of each kind. */
export function sampleRoutes(): Route[] {
  return [
    route({
      method: 'GET',
      path: ['/_matrix/client/v3/account/whoami', '/_matrix/client/r0/account/whoami'],
      operationId: 'whoami',
      spec,
      auth: 'guest',
      handle: ({ requester }) => ({ user_id: requester.userId, device_id: requester.deviceId }),
    }),
    route({
      method: 'PUT',
      path: '/_matrix/client/v3/rooms/{roomId}/send/{eventType}/{txnId}',
      operationId: 'send',
      spec,
      auth: 'user',
      body: z.looseObject({ msgtype: z.string(), count: z.number().optional() }),
      handle: ({ params, body }) => ({ ...params, body }),
    }),
    route({
      method: 'GET',
      path: [
        '/_matrix/client/v3/rooms/{roomId}/state/{eventType}',
        '/_matrix/client/v3/rooms/{roomId}/state/{eventType}/{stateKey}',
      ],
      operationId: 'state',
      spec,
      auth: 'user',
      query: z.object({ limit: queryInteger({ max: 100 }).optional(), via: queryStrings() }),
      handle: ({ params, query }) => ({ ...params, ...query }),
    }),
    route({
      method: 'POST',
      path: '/_matrix/client/v3/optional',
      operationId: 'optional',
      spec,
      auth: 'optional',
      body: jsonObjectSchema,
      allowLocked: true,
      rateLimit: 'report',
      handle: ({ requester, remote }) => ({ user_id: requester?.userId ?? null, ip: remote.ip, local: remote.isLocal }),
    }),
    route({
      method: 'POST',
      path: '/_matrix/media/v3/upload',
      operationId: 'upload',
      spec,
      auth: 'user',
      body: 'raw',
      bodyBytesMax: 1_000_000,
      handle: async ({ body }) => ({ length: (await body.bytes()).length }),
    }),
    route({
      method: 'GET',
      path: '/_matrix/client/v3/large',
      operationId: 'large',
      spec,
      auth: 'none',
      handle: () => rawJson(JSON.stringify({ text: 'inglenook '.repeat(10_000) })),
    }),
    route({
      method: 'GET',
      path: '/_matrix/client/v3/broken',
      operationId: 'broken',
      spec,
      auth: 'none',
      handle: () => {
        throw new Error('the secret of the house');
      },
    }),
    route({
      method: 'GET',
      path: '/_matrix/client/v3/wait',
      operationId: 'wait',
      spec,
      auth: 'none',
      handle: async ({ signal }) => {
        await new Promise((resolve) => signal.addEventListener('abort', resolve));
        return { waited: true };
      },
    }),
    route({
      method: 'POST',
      path: '/_synapse/admin/v1/sample',
      operationId: 'adminSample',
      spec,
      auth: 'admin',
      body: z.object({ name: z.string() }),
      handle: ({ body }) => body,
    }),
    route({
      method: 'PUT',
      path: '/_matrix/federation/v1/send/{txnId}',
      operationId: 'sendTransaction',
      spec,
      auth: 'federation',
      body: z.object({ origin: z.string() }),
      handle: ({ requester }) => ({ origin: requester.origin }),
    }),
  ];
}

const ALL: ('client' | 'federation' | 'admin' | 'health' | 'metrics')[] = [
  'client',
  'federation',
  'admin',
  'health',
  'metrics',
];

/** A running HTTP layer. */
export interface SampleHttp extends AsyncDisposable {
  readonly client: HttpClient;
  readonly listeners: Listeners;
  readonly baseUrl: string;
  readonly port: number;
}

/** Starts the sample routes on a free port of loopback, or on the listeners given. */
export async function startSampleHttp(
  options: Partial<PipelineOptions> & {
    readonly listeners?: Parameters<typeof makeConfig>[0]['listeners'];
    readonly dataFolder?: string;
    readonly trustedProxies?: readonly string[];
  } = {},
): Promise<SampleHttp> {
  const metrics = new Metrics();
  const config = makeConfig(
    { listeners: options.listeners ?? [{ port: 0, addresses: ['127.0.0.1'], resources: ALL }] },
    '/',
  );
  const pipeline = new Pipeline({
    routes: [...sampleRoutes(), ...healthRoutes({ check: async () => 1 }), ...metricsRoutes({ metrics })],
    authenticator,
    rateLimits: new RateLimits({ clock: systemClock }),
    remoteOf: createRemoteOf(options.trustedProxies ?? []),
    logger: silentLogger,
    metrics: metrics.requests,
    clock: systemClock,
    ...options,
  });
  const listeners = await startListeners({
    listeners: config.listeners,
    pipeline,
    dataFolder: options.dataFolder ?? '/nonexistent',
    serverName: 'example.org',
    shutdownTimeoutMs: 2000,
    logger: silentLogger,
  });
  const baseUrl = listeners.addresses[0]?.url ?? '';
  const client = new HttpClient(baseUrl);
  return {
    client,
    listeners,
    baseUrl,
    port: Number(/:(\d+)$/.exec(baseUrl)?.[1]),
    async [Symbol.asyncDispose]() {
      client[Symbol.dispose]();
      await listeners[Symbol.asyncDispose]();
    },
  };
}
