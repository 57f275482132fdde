/** A place in all streams at once: what a client has seen. */
export interface SyncToken {
  readonly events: number;
  readonly accountData: number;
  readonly receipts: number;
  readonly typing: number;
  readonly presence: number;
  readonly toDevice: number;
  readonly deviceLists: number;
  readonly profiles: number;
  /** In the stream 'events': up to where the client has got the sticky events. */
  readonly sticky: number;
}

/**
 * The order in the token; only ever added to at the end. A token from before a field was added has fewer: what is missing
 * is 0, the beginning of that stream, so that the client is told what it can't have been told. Told twice does no harm, and
 * "as of now" would lose what came between.
 */
const FIELDS = [
  'events',
  'accountData',
  'receipts',
  'typing',
  'presence',
  'toDevice',
  'deviceLists',
  'profiles',
  'sticky',
] as const satisfies readonly (keyof SyncToken)[];

/** 's' and the positions, joined by '_'. */
export function encodeSyncToken(token: SyncToken): string {
  return `s${FIELDS.map((field) => token[field]).join('_')}`;
}

/** As many as the first tokens had. */
const FIELDS_MIN = 8;
const POSITION = /^(0|[1-9]\d{0,15})$/;

/** The token in a string that came from a client; undefined where it is none of ours. */
export function parseSyncToken(text: string): SyncToken | undefined {
  if (!text.startsWith('s')) return undefined;
  const parts = text.slice(1).split('_', FIELDS.length + 1);
  if (parts.length < FIELDS_MIN || parts.length > FIELDS.length) return undefined;
  const numbers: number[] = [];
  for (const part of parts) {
    const number = Number(part);
    if (!POSITION.test(part) || !Number.isSafeInteger(number)) return undefined;
    numbers.push(number);
  }
  const [events = 0, accountData = 0, receipts = 0, typing = 0, presence = 0, toDevice = 0, ...rest] = numbers;
  const [deviceLists = 0, profiles = 0, sticky = 0] = rest;
  return { events, accountData, receipts, typing, presence, toDevice, deviceLists, profiles, sticky };
}

/**
 * A place in a room's timeline, for `prev_batch` and paging: the gap behind the event at `position`. 't' and the position, which is
 * negative before the room's backfilled events.
 */
export function encodeTimelineToken(position: number): string {
  return `t${position}`;
}

/** The position in a timeline token, or in a sync token, which is one as well; undefined where it is neither. */
export function parseTimelineToken(text: string): number | undefined {
  if (!/^t(0|-?[1-9]\d{0,15})$/.test(text)) return parseSyncToken(text)?.events;
  const position = Number(text.slice(1));
  return Number.isSafeInteger(position) ? position : undefined;
}
