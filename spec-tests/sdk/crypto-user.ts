import { setTimeout as sleep } from 'node:timers/promises';
import loglevel from 'loglevel';
import {
  ClientEvent,
  createClient,
  EventType,
  type MatrixClient,
  type MatrixEvent,
  Method,
  SyncState,
} from 'matrix-js-sdk';
import {
  type CryptoApi,
  CryptoEvent,
  type GeneratedSecretStorageKey,
  type ShowSasCallbacks,
  VerificationPhase,
  type VerificationRequest,
  type Verifier,
  VerifierEvent,
} from 'matrix-js-sdk/lib/crypto-api/index.js';
import { eventually, silent } from './sdk-user.ts';

/** What the library doesn't log through a client's own logger. */
loglevel.getLogger('matrix').setLevel('silent');

/** Of everybody. */
export const PASSWORD = 'password';
const SAS = 'm.sas.v1';

/** A device of a person, on `matrix-js-sdk` with its Rust crypto, syncing. Its keys are in memory only. */
export class CryptoDevice {
  readonly client: MatrixClient;
  readonly crypto: CryptoApi;
  readonly userId: string;
  readonly deviceId: string;
  /** Verification requests that came from others. */
  readonly requests: VerificationRequest[] = [];
  readonly #vault: Vault;

  private constructor(client: MatrixClient, crypto: CryptoApi, session: Session, vault: Vault) {
    this.client = client;
    this.crypto = crypto;
    this.userId = session.userId;
    this.deviceId = session.deviceId;
    this.#vault = vault;
    client.on(CryptoEvent.VerificationRequestReceived, (request) => this.requests.push(request));
  }

  /** Registers an account and starts its first device. */
  static async register(baseUrl: string, username: string): Promise<CryptoDevice> {
    const auth = { type: 'm.login.dummy' };
    const anonymous = createClient({ baseUrl, logger: silent });
    const answer = await anonymous.registerRequest({ username, password: PASSWORD, auth });
    if (!answer.access_token || !answer.device_id) throw new Error('The registration gave no token');
    const session = {
      baseUrl,
      userId: answer.user_id,
      accessToken: answer.access_token,
      deviceId: answer.device_id,
    };
    return CryptoDevice.#start(session, { key: undefined });
  }

  /** Logs the same person in on another device, which knows nothing but the recovery key. */
  async another(): Promise<CryptoDevice> {
    const { baseUrl } = this.client;
    const anonymous = createClient({ baseUrl, logger: silent });
    const answer = await anonymous.loginRequest({
      type: 'm.login.password',
      identifier: { type: 'm.id.user', user: this.userId },
      password: PASSWORD,
    });
    const session = {
      baseUrl,
      userId: answer.user_id,
      accessToken: answer.access_token,
      deviceId: answer.device_id,
    };
    return CryptoDevice.#start(session, this.#vault);
  }

  static async #start(session: Session, vault: Vault): Promise<CryptoDevice> {
    const client = createClient({
      ...session,
      logger: silent,
      verificationMethods: [SAS],
      cryptoCallbacks: {
        getSecretStorageKey: async ({ keys }) => {
          const keyId = Object.keys(keys)[0];
          return keyId === undefined || vault.key === undefined ? null : [keyId, vault.key.privateKey];
        },
      },
    });
    await client.initRustCrypto({ useIndexedDB: false });
    const crypto = client.getCrypto();
    if (crypto === undefined) throw new Error('No cryptography');
    const device = new CryptoDevice(client, crypto, session, vault);
    const prepared = Promise.withResolvers<void>();
    client.on(ClientEvent.Sync, (state) => {
      if (state === SyncState.Prepared) prepared.resolve();
    });
    await client.startClient({ initialSyncLimit: 50 });
    await prepared.promise;
    return device;
  }

  /** Makes cross-signing keys, secret storage and a backup of room keys. */
  async setUp(): Promise<void> {
    await this.crypto.bootstrapCrossSigning({
      authUploadDeviceSigningKeys: async (request) => {
        await request(null);
      },
    });
    this.#vault.key = await this.crypto.createRecoveryKeyFromPassphrase();
    const { key } = this.#vault;
    await this.crypto.bootstrapSecretStorage({ createSecretStorageKey: async () => key, setupNewKeyBackup: true });
  }

  /** What the person has written on paper, once everything is set up. */
  get recoveryKey(): string {
    const text = this.#vault.key?.encodedPrivateKey;
    if (text === undefined) throw new Error('There is no recovery key yet');
    return text;
  }

  /** How many room keys are in the person's current backup. */
  async countBackedUp(): Promise<number> {
    return (await this.client.http.authedRequest<{ count: number }>(Method.Get, '/room_keys/version')).count;
  }

  /** Sends a message to an encrypted room; resolves with the event's id. */
  async say(roomId: string, body: string): Promise<string> {
    const answer = await this.client.sendEvent(roomId, EventType.RoomMessage, { msgtype: 'm.text', body } as never);
    return answer.event_id;
  }

  /** An event of a room, once it is there and decrypted. */
  async decrypted(roomId: string, eventId: string): Promise<MatrixEvent> {
    return eventually(`${this.deviceId} of ${this.userId} can read ${eventId}`, () => {
      const event = this.client.getRoom(roomId)?.findEventById(eventId);
      return event && event.getType() === 'm.room.message' && !event.isDecryptionFailure() ? event : undefined;
    });
  }

  /** The text of an event, once it can be read. */
  async reads(roomId: string, eventId: string): Promise<unknown> {
    return (await this.decrypted(roomId, eventId)).getContent().body;
  }

  /** Whether this device takes another one for verified by its owner. */
  async trusts(other: CryptoDevice): Promise<boolean> {
    const status = await this.crypto.getDeviceVerificationStatus(other.userId, other.deviceId);
    return status?.signedByOwner === true && status.crossSigningVerified;
  }

  /** Ends the session on the client's side only. */
  stop(): void {
    this.client.stopClient();
  }
}

/** How long two devices may take to show their strings, and how often they begin anew. */
const SAS_PATIENCE_MS = 15_000;
const SAS_TRIES_MAX = 3;

/**
 * Compares short strings on both devices, as two people would, and finds them the same. Begins anew where no strings come:
 * the library stood still in one of twenty runs under load, while three thousand messages to devices came through.
 */
export async function verifyBySas(ask: () => Promise<VerificationRequest>, asked: CryptoDevice): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    const asking = await ask();
    const shown = await showStrings(asking, asked);
    if (shown !== undefined) {
      const [mine, yours] = shown.strings;
      if (JSON.stringify(mine.sas) !== JSON.stringify(yours.sas)) throw new Error('the short strings differ');
      await Promise.all([mine.confirm(), yours.confirm()]);
      await shown.done;
      return;
    }
    if (attempt === SAS_TRIES_MAX) throw new Error(`No short strings in ${SAS_TRIES_MAX} tries`);
    await asking.cancel();
  }
}

/** Brings two devices to where both show their strings; undefined where that takes too long. */
async function showStrings(asking: VerificationRequest, asked: CryptoDevice) {
  const request = await eventually('the request for verification comes', () =>
    asked.requests.find((one) => one.transactionId === asking.transactionId),
  );
  await request.accept();
  await eventually('the request is accepted', () => asking.phase === VerificationPhase.Ready);
  const starting = await asking.startVerification(SAS);
  const answering = await eventually('the verification starts', () => request.verifier);
  const strings = Promise.all([sasOf(starting), sasOf(answering)]);
  const done = Promise.all([starting.verify(), answering.verify()]);
  // Cancelled, both reject: then nobody waits for them any more.
  done.catch(() => {});
  const shown = await Promise.race([strings, sleep(SAS_PATIENCE_MS, undefined, { ref: false })]);
  return shown && { strings: shown, done };
}

function sasOf(verifier: Verifier): Promise<ShowSasCallbacks> {
  const shown = verifier.getShowSasCallbacks();
  if (shown !== null) return Promise.resolve(shown);
  return new Promise((resolve) => verifier.once(VerifierEvent.ShowSas, resolve));
}

interface Session {
  readonly baseUrl: string;
  readonly userId: string;
  readonly accessToken: string;
  readonly deviceId: string;
}

/** What a person keeps on paper. */
interface Vault {
  key: GeneratedSecretStorageKey | undefined;
}
