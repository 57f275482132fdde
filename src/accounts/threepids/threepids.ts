import { randomBytes } from 'node:crypto';
import type { Clock } from '../../clock.ts';
import { type Language, type LinkPurpose, linkMessage, type Mailer } from '../../email/index.ts';
import { invalidParam, MatrixError } from '../../protocol/errors.ts';
import { parseUserId, type UserId } from '../../protocol/ids/index.ts';
import type { Database, ReadTx, WriteTx } from '../../storage/index.ts';
import { hashSecret, newSecret } from '../secrets.ts';
import {
  deleteThreePid,
  deleteValidation,
  findAttempt,
  findThreePid,
  findValidation,
  insertThreePid,
  insertValidation,
  type ThreePidRow,
  threePidsOf,
  updateValidation,
} from './store.ts';

/** A client's wish to have an e-mail address validated. */
export interface ValidationRequest {
  readonly purpose: LinkPurpose;
  readonly email: string;
  readonly clientSecret: string;
  /** Only a greater one than before sends another message. */
  readonly sendAttempt: number;
  /** Where the page of the link leads to. */
  readonly nextLink: string | undefined;
  readonly language: Language;
}

/** What a client shows to have its validation looked at. */
export interface ValidationCredentials {
  readonly sid: string;
  readonly clientSecret: string;
}

export interface ThreePidsDeps {
  readonly database: Database;
  readonly clock: Clock;
  /** Undefined where no e-mail can be sent. */
  readonly mailer: Mailer | undefined;
  readonly appName: string;
  readonly tokenLifetimeMs: number;
  /** The address of this server, for links. */
  readonly publicUrl: string;
}

/** Where links in messages lead. */
export const CONFIRM_PATH = '/_inglenook/client/v1/email/confirm';

const CLIENT_SECRET = /^[0-9a-zA-Z.=_-]{1,255}$/;
const EMAIL_CHARS_MAX = 500;
const SID_BYTES = 18;
/** What was validated stays good for so long. */
const VALIDATED_KEPT_MS = 24 * 60 * 60 * 1000;

/** E-mail addresses of accounts; telephone numbers are not supported. Spec: client-server-api/#adding-account-administrative-contact-information */
export class ThreePids {
  readonly #deps: ThreePidsDeps;

  constructor(deps: ThreePidsDeps) {
    this.#deps = deps;
  }

  /** Whether addresses can be validated at all. */
  get isAvailable(): boolean {
    return this.#deps.mailer !== undefined;
  }

  /**
   * Sends a message with a link to an address and returns the id of the validation.
   * @throws MatrixError `M_THREEPID_MEDIUM_NOT_SUPPORTED` without SMTP, `M_THREEPID_IN_USE`, `M_THREEPID_NOT_FOUND`
   */
  async request(request: ValidationRequest): Promise<string> {
    const { database, clock, mailer } = this.#deps;
    if (mailer === undefined) throw mediumNotSupported('This server does not send e-mail');
    const { purpose, clientSecret, sendAttempt } = request;
    if (!CLIENT_SECRET.test(clientSecret)) throw invalidParam('client_secret is not valid');
    const address = toAddress(request.email);
    const isKnown = (await database.read((tx) => findThreePid(tx, 'email', address))) !== undefined;
    if (purpose === 'reset' && !isKnown) {
      throw new MatrixError('M_THREEPID_NOT_FOUND', 'No account has this e-mail address');
    }
    if (purpose !== 'reset' && isKnown) throw inUse();
    const now = clock.now();
    const token = newSecret();
    const before = await database.read((tx) => findAttempt(tx, { clientSecret, address, purpose, now }));
    if (before !== undefined && before.send_attempt >= sendAttempt) return before.sid;
    const sid = before?.sid ?? randomBytes(SID_BYTES).toString('base64url');
    const link = `${this.#deps.publicUrl}${CONFIRM_PATH}?${new URLSearchParams({ sid, token })}`;
    const { appName, tokenLifetimeMs } = this.#deps;
    const expires_ts = now + tokenLifetimeMs;
    await database.write('main', async (tx) => {
      const change = { send_attempt: sendAttempt, token_hash: hashSecret(token), expires_ts };
      if (before !== undefined) return updateValidation(tx, sid, change);
      const next_link = request.nextLink ?? null;
      const row = { sid, client_secret: clientSecret, address, purpose, next_link, validated_ts: null, ...change };
      return insertValidation(tx, row);
    });
    await mailer.send({ to: address, ...linkMessage(purpose, request.language, { appName, link }) });
    return sid;
  }

  /** Follows a link. Returns where to go next, or false where the link isn't valid. */
  async confirm(sid: string, token: string): Promise<{ readonly nextLink: string | undefined } | false> {
    const { database, clock } = this.#deps;
    const now = clock.now();
    return database.write('main', async (tx) => {
      const row = await findValidation(tx, sid, now);
      if (row === undefined || row.token_hash !== hashSecret(token)) return false;
      // Following it again must not make it last longer.
      if (row.validated_ts === null) {
        await updateValidation(tx, sid, { validated_ts: now, expires_ts: now + VALIDATED_KEPT_MS });
      }
      return { nextLink: row.next_link ?? undefined };
    });
  }

  /** The address that was validated for this purpose, which is used up by that; undefined while it isn't. */
  async use(credentials: ValidationCredentials, purpose: LinkPurpose): Promise<string | undefined> {
    return this.#deps.database.write('main', async (tx) => {
      const address = await this.#validated(tx, credentials, purpose);
      if (address !== undefined) await deleteValidation(tx, credentials.sid);
      return address;
    });
  }

  async #validated(tx: ReadTx, { sid, clientSecret }: ValidationCredentials, purpose: LinkPurpose) {
    const row = await findValidation(tx, sid, this.#deps.clock.now());
    if (row === undefined || row.client_secret !== clientSecret || row.purpose !== purpose) return undefined;
    return row.validated_ts === null ? undefined : row.address;
  }

  /** Adds a validated address to an account. @throws MatrixError `M_THREEPID_AUTH_FAILED`, `M_THREEPID_IN_USE` */
  async add(userId: UserId, credentials: ValidationCredentials): Promise<void> {
    await this.#deps.database.write('main', async (tx) => {
      const address = await this.#validated(tx, credentials, 'add');
      if (address === undefined) throw notValidated();
      await this.addIn(tx, userId, address);
    });
  }

  /** `add` within a transaction, of an address that the caller knows to be validated. */
  async addIn(tx: WriteTx, userId: UserId, address: string): Promise<void> {
    const present = await findThreePid(tx, 'email', address);
    if (present !== undefined && present.user_id !== userId) throw inUse();
    const now = this.#deps.clock.now();
    await insertThreePid(tx, { medium: 'email', address, user_id: userId, validated_ts: now, added_ts: now });
  }

  /** Takes an address from an account. */
  async delete(userId: UserId, medium: string, address: string): Promise<void> {
    const stored = medium === 'email' ? address.trim().toLowerCase() : address;
    await this.#deps.database.write('main', (tx) => deleteThreePid(tx, userId, medium, stored));
  }

  list(userId: UserId): Promise<readonly ThreePidRow[]> {
    return this.#deps.database.read((tx) => threePidsOf(tx, userId));
  }

  /** Whose address it is. */
  userOf(medium: string, address: string): Promise<UserId | undefined> {
    return this.#deps.database.read((tx) => this.userOfIn(tx, medium, address));
  }

  /** `userOf` within a transaction. */
  async userOfIn(tx: ReadTx, medium: string, address: string): Promise<UserId | undefined> {
    const stored = medium === 'email' ? address.trim().toLowerCase() : address;
    const row = await findThreePid(tx, medium, stored);
    return row === undefined ? undefined : parseUserId(row.user_id);
  }
}

/** 400 `M_THREEPID_MEDIUM_NOT_SUPPORTED`. */
export function mediumNotSupported(message: string): MatrixError {
  return new MatrixError('M_THREEPID_MEDIUM_NOT_SUPPORTED', message);
}

function notValidated(): MatrixError {
  return new MatrixError('M_THREEPID_AUTH_FAILED', 'The e-mail address has not been confirmed', { status: 403 });
}

function inUse(): MatrixError {
  return new MatrixError('M_THREEPID_IN_USE', 'This e-mail address belongs to an account already');
}

/** In lower case, since nobody tells addresses apart by case. @throws MatrixError where it is none */
export function toAddress(email: string): string {
  const address = email.trim().toLowerCase();
  const isAddress = address.length <= EMAIL_CHARS_MAX && /^[^\s@<>()[\]\\,:;"]+@[^\s@<>()[\]\\,:;"]+$/.test(address);
  if (!isAddress) throw invalidParam('email is not an e-mail address');
  return address;
}
