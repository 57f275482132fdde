/**
 * What of the specification v1.19 is there. The list of all its endpoints is endpoints.tsv (facts: API, method, path,
 * operationId, file of the spec, version). Run by itself (`node spec-tests/compliance.ts`), this writes docs/compliance.md.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { makeConfig } from '../src/config/index.ts';
import { startHomeserver } from '../src/homeserver.ts';
import { silentLogger } from '../src/telemetry/log.ts';

/** An endpoint of the specification. */
export interface Endpoint {
  /** `cs` client-server, `ss` server-server. */
  readonly api: string;
  readonly method: string;
  readonly path: string;
  readonly operationId: string;
  /** The spec's OpenAPI file. */
  readonly module: string;
  /** The version that brought it; empty: 1.1 or earlier. */
  readonly addedIn: string;
}

/** What isn't there yet, by the file of the spec or the operation, and which part of the project brings it. Shrinks; never grows. */
export const NOT_YET: Readonly<Record<string, string>> = {
  'cs appservice_ping': 'application services',
  'cs appservice_room_directory': 'application services',
  'cs oauth_server_metadata': 'OAuth 2.0',
  'ss queryInfo': 'no queries but those that have a path of their own',
  'ss askPolicyServerToSign': 'policy servers: a homeserver is none itself',
};

/** Where the endpoints of each file are tested, below spec-tests/. */
const TESTED_IN: Readonly<Record<string, string>> = {
  'cs account-data': 'client-server/accounts-data.test.ts',
  'cs account_deactivation': 'client-server/accounts-sessions.test.ts',
  'cs admin': 'client-server/small-modules.test.ts',
  'cs administrative_contact': 'client-server/email.test.ts',
  'cs authed-content-repo': 'client-server/media-files.test.ts',
  'cs banning': 'client-server/rooms-write.test.ts',
  'cs capabilities': 'client-server/accounts-data.test.ts',
  'cs content-repo': 'client-server/media-files.test.ts',
  'cs create_room': 'client-server/rooms-write.test.ts',
  'cs cross_signing': 'client-server/keys-cross-signing.test.ts',
  'cs device_management': 'client-server/accounts-sessions.test.ts',
  'cs directory': 'client-server/rooms-write.test.ts',
  'cs event_context': 'client-server/reading-rooms.test.ts',
  'cs filter': 'client-server/accounts-data.test.ts',
  'cs inviting': 'client-server/rooms-write.test.ts',
  'cs joining': 'client-server/rooms-write.test.ts',
  'cs key_backup': 'client-server/keys-backup.test.ts',
  'cs keys': 'client-server/keys-devices.test.ts',
  'cs kicking': 'client-server/rooms-write.test.ts',
  'cs knocking': 'client-server/rooms-write.test.ts',
  'cs leaving': 'client-server/rooms-write.test.ts',
  'cs list_joined_rooms': 'client-server/reading-rooms.test.ts',
  'cs list_public_rooms': 'client-server/reading-rooms.test.ts',
  'cs login': 'client-server/accounts-sessions.test.ts',
  'cs policy_server': 'server-server/policy-servers.test.ts',
  'cs login_token': 'client-server/small-modules.test.ts',
  'cs logout': 'client-server/accounts-sessions.test.ts',
  'cs message_pagination': 'client-server/reading-rooms.test.ts',
  'cs mutual_rooms': 'client-server/users.test.ts',
  'cs notifications': 'client-server/push.test.ts',
  'cs old_sync': 'client-server/small-modules.test.ts',
  'cs openid': 'client-server/small-modules.test.ts',
  'cs password_management': 'client-server/accounts-sessions.test.ts',
  'cs peeking_events': 'client-server/small-modules.test.ts',
  'cs presence': 'client-server/presence.test.ts',
  'cs profile': 'client-server/accounts-data.test.ts',
  'cs pusher': 'client-server/push.test.ts',
  'cs pushrules': 'client-server/pushrules.test.ts',
  'cs read_markers': 'client-server/reading-receipts.test.ts',
  'cs receipts': 'client-server/reading-receipts.test.ts',
  'cs redaction': 'client-server/rooms-write.test.ts',
  'cs refresh': 'client-server/accounts-sessions.test.ts',
  'cs registration': 'client-server/accounts-registration.test.ts',
  'cs registration_tokens': 'client-server/accounts-registration.test.ts',
  'cs relations': 'client-server/relations-list.test.ts',
  'cs report_content': 'client-server/small-modules.test.ts',
  'cs room_event_by_timestamp': 'client-server/reading-rooms.test.ts',
  'cs room_initial_sync': 'client-server/small-modules.test.ts',
  'cs room_send': 'client-server/rooms-write.test.ts',
  'cs room_state': 'client-server/rooms-write.test.ts',
  'cs room_summary': 'client-server/room-summary.test.ts',
  'cs room_upgrades': 'client-server/rooms-write.test.ts',
  'cs rooms': 'client-server/reading-rooms.test.ts',
  'cs search': 'client-server/search.test.ts',
  'cs space_hierarchy': 'client-server/spaces-hierarchy.test.ts',
  'cs sso_login_redirect': 'client-server/sso.test.ts',
  'cs support': 'client-server/accounts-data.test.ts',
  'cs sync': 'client-server/sync-rooms.test.ts',
  'cs tags': 'client-server/accounts-data.test.ts',
  'cs third_party_lookup': 'client-server/small-modules.test.ts',
  'cs third_party_membership': 'client-server/third-party-invites.test.ts',
  'cs threads_list': 'client-server/threads-list.test.ts',
  'cs to_device': 'client-server/keys-to-device.test.ts',
  'cs typing': 'client-server/reading-receipts.test.ts',
  'cs users': 'client-server/users.test.ts',
  'cs versions': 'client-server/accounts-data.test.ts',
  'cs voip': 'client-server/small-modules.test.ts',
  'cs wellknown': 'client-server/accounts-data.test.ts',
  'cs whoami': 'client-server/accounts-sessions.test.ts',
  'ss backfill': 'server-server/closed-doors.test.ts',
  'ss content_repository': 'server-server/media.test.ts',
  'ss event_auth': 'server-server/closed-doors.test.ts',
  'ss events': 'server-server/closed-doors.test.ts',
  'ss invites-v1': 'server-server/invites.test.ts',
  'ss invites-v2': 'server-server/invites.test.ts',
  'ss joins-v1': 'server-server/answers.test.ts',
  'ss joins-v2': 'server-server/two-servers.test.ts',
  'ss keys_query': 'server-server/answers.test.ts',
  'ss keys_server': 'server-server/answers.test.ts',
  'ss knocks': 'server-server/answers.test.ts',
  'ss leaving-v1': 'server-server/answers.test.ts',
  'ss leaving-v2': 'server-server/two-servers.test.ts',
  'ss public_rooms': 'server-server/answers.test.ts',
  'ss query': 'server-server/answers.test.ts',
  'ss space_hierarchy': 'server-server/looking-in.test.ts',
  'ss transactions': 'server-server/transactions.test.ts',
  'ss user_devices': 'server-server/answers.test.ts',
  'ss user_keys': 'server-server/answers.test.ts',
  'ss version': 'server-server/answers.test.ts',
  'ss third_party_invite': 'server-server/third-party-invites.test.ts',
  'ss openid': 'client-server/small-modules.test.ts',
  'ss wellknown': 'client-server/accounts-data.test.ts',
};

const LIST = path.join(import.meta.dirname, 'endpoints.tsv');
const PAGE = path.join(import.meta.dirname, '../docs/compliance.md');

/** All endpoints of the client-server and server-server APIs. */
export function listEndpoints(): readonly Endpoint[] {
  const [, ...lines] = readFileSync(LIST, 'utf8').trimEnd().split('\n');
  return lines.map((line) => {
    const [api = '', method = '', at = '', operationId = '', module = '', addedIn = ''] = line.split('\t');
    return { api, method, path: at, operationId, module, addedIn };
  });
}

/** `METHOD path` with the names of params left out and without a slash at the end, so that both sides can be compared. */
export function signature(method: string, at: string): string {
  return `${method} ${at.replaceAll(/\{[^}]+\}/g, '{}').replace(/\/$/, '')}`;
}

/** Which part brings an endpoint that isn't there yet; undefined where it must be there. */
export function notYet({ api, module, operationId }: Endpoint): string | undefined {
  return NOT_YET[`${api} ${module}`] ?? NOT_YET[`${api} ${operationId}`];
}

/** Where an endpoint is tested; undefined where it isn't there, or nothing is known. */
export function testOf({ api, module }: Endpoint): string | undefined {
  return TESTED_IN[`${api} ${module}`];
}

/** The signatures of all routes of this server. */
export async function servedSignatures(): Promise<ReadonlySet<string>> {
  const folder = mkdtempSync(path.join(tmpdir(), 'inglenook-compliance-'));
  try {
    const config = makeConfig({ listeners: [{ port: 0, addresses: ['127.0.0.1'] }] }, folder);
    await using homeserver = await startHomeserver(config, { logger: silentLogger });
    return new Set(homeserver.routes.flatMap((one) => one.paths.map((at) => signature(one.method, at))));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** The text of docs/compliance.md. */
export function compliancePage(served: ReadonlySet<string>): string {
  const lines = [
    '# Endpoints of the specification v1.19',
    '',
    'Written by `node spec-tests/compliance.ts`; spec-tests/compliance.test.ts compares it with what is served.',
  ];
  for (const [api, title] of [
    ['cs', 'Client-server API'],
    ['ss', 'Server-server API'],
  ] as const) {
    lines.push('', `## ${title}`, '', '| endpoint | operation | since | state |', '| --- | --- | --- | --- |');
    for (const endpoint of listEndpoints().filter((one) => one.api === api)) {
      const isServed = served.has(signature(endpoint.method, endpoint.path));
      const state = isServed ? `tested in ${testOf(endpoint) ?? 'spec-tests'}` : `not yet: ${notYet(endpoint) ?? '?'}`;
      const since = endpoint.addedIn === '' ? '1.1' : endpoint.addedIn;
      lines.push(`| \`${endpoint.method} ${endpoint.path}\` | ${endpoint.operationId} | ${since} | ${state} |`);
    }
  }
  return `${lines.join('\n')}\n`;
}

/** What docs/compliance.md says now. */
export function currentPage(): string {
  return readFileSync(PAGE, 'utf8');
}

if (process.argv[1] === import.meta.filename) writeFileSync(PAGE, compliancePage(await servedSignatures()));
