/**
 * How commands reach a running server: a unix socket in the data folder that only its owner may open. The same functions
 * run on the database itself when no server runs, since only one process may use it.
 */
import { chmod, unlink } from 'node:fs/promises';
import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { text } from 'node:stream/consumers';
import { z } from 'zod';
import type { Accounts } from './accounts/index.ts';
import type { Devices } from './devices/index.ts';
import type { Media } from './media/index.ts';
import { MatrixError } from './protocol/errors.ts';
import { makeUserId, parseEventId, parseRoomId, parseUserId, type UserId } from './protocol/ids/index.ts';
import type { Rooms } from './rooms/index.ts';

const controlRequest = z.discriminatedUnion('do', [
  z.object({ do: z.literal('user.create'), name: z.string(), password: z.string(), admin: z.boolean() }),
  z.object({ do: z.literal('user.set-password'), name: z.string(), password: z.string(), logOut: z.boolean() }),
  z.object({ do: z.literal('user.list') }),
  z.object({ do: z.literal('media.verify'), mend: z.boolean(), hash: z.boolean() }),
  z.object({ do: z.literal('media.move') }),
  z.object({ do: z.literal('room.explain-state'), room: z.string(), event: z.string().optional() }),
  z.object({ do: z.literal('restored') }),
]);

/** What a command asks for. */
export type ControlRequest = z.infer<typeof controlRequest>;

/** The domains that commands work on. */
export interface ControlledParts {
  readonly accounts: Accounts;
  readonly media: Media;
  readonly devices: Devices;
  readonly rooms: Pick<Rooms, 'explainState'>;
}

/** One line of output a string. */
export type ControlAnswer = { readonly lines: readonly string[] } | { readonly error: string };

const BODY_BYTES_MAX = 64 * 1024;
const LIST_PAGE = 500;
/** Longer paths can't be bound (sun_path). */
const SOCKET_PATH_BYTES_MAX = 104;

/** The socket's path. Data folders with a very long path have none. */
export function controlSocket(dataFolder: string): string | undefined {
  const socket = path.join(dataFolder, 'control.sock');
  return Buffer.byteLength(socket) <= SOCKET_PATH_BYTES_MAX ? socket : undefined;
}

/** How whoever waits for a long command follows it, and gives it up. */
export interface Follower {
  readonly signal: AbortSignal;
  readonly onProgress: (line: string) => void;
}

/** For commands that end with their process. */
const NOBODY: Follower = { signal: new AbortController().signal, onProgress: () => undefined };

/** Does what a command asks for. Refusals are answers; anything else throws. */
export async function control(
  parts: ControlledParts,
  wish: ControlRequest,
  follower: Follower = NOBODY,
): Promise<ControlAnswer> {
  try {
    return { lines: await perform(parts, wish, follower) };
  } catch (error) {
    if (error instanceof MatrixError) return { error: error.message };
    throw error;
  }
}

async function perform(
  { accounts, media, devices, rooms }: ControlledParts,
  wish: ControlRequest,
  follower: Follower,
): Promise<readonly string[]> {
  if (wish.do === 'restored') return takeBack(devices);
  if (wish.do === 'media.verify') return verifyMedia(media, wish.mend, wish.hash ? follower : undefined);
  if (wish.do === 'media.move') return [`${await media.moveToFirstStore()} files were moved.`];
  if (wish.do === 'room.explain-state') return explainRoomState(rooms, wish.room, wish.event);
  if (wish.do === 'user.list') return listUsers(accounts);
  if (wish.do === 'user.create') {
    const account = { username: wish.name, password: wish.password, isAdmin: wish.admin };
    const { userId } = await accounts.registration.registerByAdmin(account, { inhibitLogin: true }, LOCAL);
    return [`${userId} was made${wish.admin ? ', an administrator' : ''}.`];
  }
  const userId = await existingUser(accounts, wish.name);
  await accounts.users.setPassword(userId, wish.password, { logOutOthers: wish.logOut });
  return [`The password of ${userId} was changed${wish.logOut ? ', and its sessions ended' : ''}.`];
}

async function takeBack(devices: Devices): Promise<readonly string[]> {
  const { oneTimeKeys, users } = await devices.takeBackAfterRestore();
  return [
    `${oneTimeKeys} one-time keys were taken back; clients upload new ones.`,
    `Everyone asks anew for the devices of ${users} users.`,
    'The server may start.',
  ];
}

const LOCAL = { ip: 'unix', isLocal: true, userAgent: 'inglenook command line' };

async function existingUser(accounts: Accounts, name: string): Promise<UserId> {
  const userId = parseUserId(name) ?? makeUserId(name, accounts.serverName);
  if (userId === undefined || (await accounts.users.find(userId)) === undefined) {
    throw new MatrixError('M_NOT_FOUND', `There is no user ${name}`);
  }
  return userId;
}

async function verifyMedia(media: Media, mend: boolean, hash: Follower | undefined): Promise<readonly string[]> {
  const report = await media.verify(mend, hash);
  const { orphanFiles, orphanRows, lost, hashes } = report;
  return [
    ...(hashes?.damaged ?? []).map((sha256) => `file damaged: ${sha256}`),
    ...orphanFiles.map((sha256) => `file without a row: ${sha256}`),
    ...orphanRows.map((sha256) => `row that nothing refers to: ${sha256}`),
    ...lost.map((mxc) => `file lost: ${mxc}`),
    ...(hashes === undefined ? [] : [`${hashes.checkedCount} files read, ${hashes.damaged.length} damaged.`]),
    `${report.fileCount} files, ${report.rowCount} rows; ${orphanFiles.length + orphanRows.length} orphans, ` +
      `${lost.length} lost, ${report.thumbnailCount} thumbnails to make again${mend ? '; mended' : ''}.`,
  ];
}

async function explainRoomState(
  rooms: ControlledParts['rooms'],
  room: string,
  event: string | undefined,
): Promise<readonly string[]> {
  const roomId = parseRoomId(room);
  if (roomId === undefined) throw new MatrixError('M_INVALID_PARAM', `${room} is not a room id`);
  const eventId = event === undefined ? undefined : parseEventId(event);
  if (event !== undefined && eventId === undefined) {
    throw new MatrixError('M_INVALID_PARAM', `${event} is not an event id`);
  }
  return rooms.explainState(roomId, eventId);
}

async function listUsers(accounts: Accounts): Promise<readonly string[]> {
  const lines: string[] = [];
  let after = '';
  for (;;) {
    const page = await accounts.users.list(after, LIST_PAGE);
    for (const user of page) {
      const marks = [user.isAdmin && 'administrator', user.isDeactivated && 'deactivated'].filter(Boolean);
      lines.push([user.userId, ...marks].join('  '));
    }
    const last = page.at(-1);
    if (last === undefined || page.length < LIST_PAGE) return lines;
    after = last.userId;
  }
}

/** Opens the socket. Disposing of it closes and removes it. */
export async function startControl(socket: string, parts: ControlledParts): Promise<AsyncDisposable> {
  // Only one server can have the database, so what lies here is left over from one that was killed.
  await unlink(socket).catch(() => undefined);
  const server = createServer((incoming, response) => void serve(parts, incoming, response));
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject).listen(socket, resolve);
  });
  await chmod(socket, 0o600);
  return {
    [Symbol.asyncDispose]: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

async function serve(parts: ControlledParts, incoming: IncomingMessage, response: ServerResponse): Promise<void> {
  try {
    if (Number(incoming.headers['content-length'] ?? BODY_BYTES_MAX + 1) > BODY_BYTES_MAX) throw new Error('too large');
    const gone = new AbortController();
    response.once('close', () => gone.abort());
    const onProgress = (progress: string) => response.write(`${JSON.stringify({ progress })}\n`);
    const wish = controlRequest.parse(JSON.parse(await text(incoming)));
    const follower = { signal: gone.signal, onProgress };
    const answer = wish.do === 'restored' ? STOP_FIRST : await control(parts, wish, follower);
    response.end(JSON.stringify(answer));
  } catch (error) {
    response.end(JSON.stringify({ error: error instanceof Error ? error.message : String(error) }));
  }
}

/** Positions are in memory, and keys may be on their way. */
const STOP_FIRST: ControlAnswer = { error: 'A server runs on these data. Stop it first, and copy the data again.' };

const progressSchema = z.object({ progress: z.string() });
const answerSchema = z.union([z.object({ lines: z.array(z.string()) }), z.object({ error: z.string() })]);

/** Reads lines of JSON: what was done so far, and at last the answer. */
async function readAnswer(response: IncomingMessage, onProgress: (line: string) => void): Promise<ControlAnswer> {
  for await (const line of createInterface({ input: response })) {
    const said = z.union([progressSchema, answerSchema]).parse(JSON.parse(line));
    if (!('progress' in said)) return said;
    onProgress(said.progress);
  }
  throw new Error('the server has stopped');
}

/** Asks the running server; undefined where none runs. */
export function askRunningServer(
  socket: string,
  wish: ControlRequest,
  onProgress: (line: string) => void = () => undefined,
): Promise<ControlAnswer | undefined> {
  const body = JSON.stringify(wish);
  return new Promise((resolve, reject) => {
    const outgoing = request({
      socketPath: socket,
      method: 'POST',
      headers: { 'content-length': Buffer.byteLength(body) },
    });
    outgoing.on('response', (response) => {
      readAnswer(response, onProgress).then(resolve, reject);
    });
    outgoing.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT' || error.code === 'ECONNREFUSED') resolve(undefined);
      else reject(error);
    });
    outgoing.end(body);
  });
}
