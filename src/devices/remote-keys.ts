/** Keys of users of other servers, asked for when somebody wants them. */
import { type ServerName, serverNameOf, type UserId } from '../protocol/ids/index.ts';
import { isJsonObject, type JsonObject, readObject, readValue } from '../protocol/json/index.ts';

/** The way to other servers; whoever composes the server hands it in. Its methods reject where nobody answers. */
export interface RemoteKeys {
  /** user -> devices -> the answer to the federation's `/user/keys/query`. */
  query(server: ServerName, deviceKeys: JsonObject): Promise<RemoteAnswer>;
  /** user -> device -> algorithm -> the answer to the federation's `/user/keys/claim`. */
  claim(server: ServerName, oneTimeKeys: JsonObject): Promise<RemoteAnswer>;
}

/** What is known of a server's users. */
export interface RemoteAnswer {
  readonly answer: JsonObject;
  /** False: of some users nothing is known, since their server can't be reached. */
  readonly isWhole: boolean;
}

/** What was said, user by user, and who said nothing. */
export interface RemoteAnswers {
  /** The object under each key of the answers, of users whom the answering server may speak for. */
  readonly byKey: ReadonlyMap<string, ReadonlyMap<UserId, JsonObject>>;
  readonly failed: ReadonlySet<ServerName>;
}

/** Asks the servers of users side by side. `keys`: the keys of the answer that matter. */
export async function askServers(
  wanted: ReadonlyMap<UserId, JsonObject | readonly string[]>,
  keys: readonly string[],
  ask: (server: ServerName, ofServer: JsonObject) => Promise<RemoteAnswer>,
): Promise<RemoteAnswers> {
  const byKey = new Map(keys.map((key) => [key, new Map<UserId, JsonObject>()]));
  const failed = new Set<ServerName>();
  const byServer = Map.groupBy(wanted.keys(), (userId) => serverNameOf(userId));
  const asked = [...byServer].map(async ([server, userIds]) => {
    try {
      const ofServer = Object.fromEntries(userIds.map((userId) => [userId, wanted.get(userId) ?? []]));
      const { answer, isWhole } = await ask(server, ofServer);
      if (!isWhole) failed.add(server);
      for (const [key, found] of byKey) {
        for (const userId of userIds) {
          const value = readValue(readObject(answer, key) ?? {}, userId);
          if (isJsonObject(value)) found.set(userId, value);
        }
      }
    } catch {
      failed.add(server);
    }
  });
  await Promise.all(asked);
  return { byKey, failed };
}
