import { localpartOf, parseUserId, serverNameOf, type UserId } from '../protocol/ids/index.ts';
import { readString } from '../protocol/json/index.ts';
import type { EventReader } from '../rooms/index.ts';
import { tokensOf } from '../search/index.ts';
import { type ReadTx, TokenIndex, type WriteTx } from '../storage/index.ts';
import { type ConsumerDeps, runConsumer } from '../streams/index.ts';
import { changedProfiles, findDirectoryUser, memberEvents, putDirectoryUser, USER_INDEX } from './store.ts';

/** Somebody with the name that they have by now. */
interface NamedUser {
  readonly position: number;
  readonly userId: UserId | undefined;
  readonly displayName: string | null;
  readonly avatarUrl: string | null;
}

/** Keeps the directory up: by the profiles of our own users, and by the member events of others. */
export class UserDirectoryIndexer implements AsyncDisposable {
  readonly index = new TokenIndex(USER_INDEX);
  readonly #deps: ConsumerDeps;
  readonly #events: EventReader;
  readonly #isLocal: (userId: UserId) => boolean;
  readonly #controller = new AbortController();
  #ended: Promise<unknown> = Promise.resolve();

  constructor(deps: ConsumerDeps & { readonly events: EventReader; readonly isLocal: (userId: UserId) => boolean }) {
    this.#deps = deps;
    this.#events = deps.events;
    this.#isLocal = deps.isLocal;
  }

  /** Begins to follow, from where it was. */
  start(): void {
    const { signal } = this.#controller;
    const common = {
      startAt: 'beginning',
      handle: async (users: readonly NamedUser[]) =>
        users.some(({ userId }) => userId !== undefined) ? (tx: WriteTx) => this.#write(tx, users) : undefined,
      signal,
    } as const;
    this.#ended = Promise.all([
      runConsumer<NamedUser>(
        {
          ...common,
          name: 'user_directory.profiles',
          stream: 'profiles',
          read: async (tx, from, to, limit) =>
            (await changedProfiles(tx, from, to, limit)).map((row) => ({
              position: row.position,
              userId: parseUserId(row.user_id),
              displayName: row.displayname,
              avatarUrl: row.avatar_url,
            })),
        },
        this.#deps,
      ),
      runConsumer<NamedUser>(
        {
          ...common,
          name: 'user_directory.members',
          stream: 'events',
          read: (tx, from, to, limit) => this.#members(tx, from, to, limit),
        },
        this.#deps,
      ),
    ]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#controller.abort();
    await this.#ended;
  }

  async #members(tx: ReadTx, from: number, to: number, limit: number): Promise<readonly NamedUser[]> {
    const rows = await memberEvents(tx, from, to, limit);
    const events = await this.#events.byNids(
      tx,
      rows.map((row) => row.nid),
    );
    return events.map(({ position, event, isRefused }) => {
      const userId = parseUserId(event.stateKey ?? '');
      const isOther = userId !== undefined && !isRefused && !this.#isLocal(userId);
      const isJoin = readString(event.content, 'membership') === 'join';
      return {
        position,
        userId: isOther && isJoin ? userId : undefined,
        displayName: readString(event.content, 'displayname') ?? null,
        avatarUrl: readString(event.content, 'avatar_url') ?? null,
      };
    });
  }

  async #write(tx: WriteTx, users: readonly NamedUser[]): Promise<void> {
    for (const { userId, displayName, avatarUrl } of users) {
      if (userId === undefined) continue;
      const known = await findDirectoryUser(tx, userId);
      if (known !== undefined && known.display_name === displayName && known.avatar_url === avatarUrl) continue;
      const nid = await putDirectoryUser(tx, { user_id: userId, display_name: displayName, avatar_url: avatarUrl });
      const tokens = [
        ...tokensOf(localpartOf(userId)),
        '',
        ...tokensOf(displayName ?? ''),
        '',
        ...tokensOf(serverNameOf(userId)),
      ];
      await this.index.put(tx, nid, { tokens: tokens.filter((token) => token !== ''), labels: [] });
    }
  }
}
