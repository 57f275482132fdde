import { type ServerName, splitServerName } from '../../protocol/ids/index.ts';
import { isStringArray, type JsonObject, readBoolean } from '../../protocol/json/index.ts';

/**
 * Whether a room's `m.room.server_acl` lets a server take part. Names are compared without regard to case and port.
 * Spec: client-server-api/#mroomserver_acl
 */
export function isServerAllowed(content: JsonObject | undefined, server: ServerName): boolean {
  if (content === undefined) return true;
  const parts = splitServerName(server);
  if (parts === undefined) return false;
  if (readBoolean(content, 'allow_ip_literals') === false && parts.kind !== 'dns') return false;
  const name = parts.kind === 'ipv6' ? `[${parts.hostname}]` : parts.hostname;
  return !matchesAny(content.deny, name) && matchesAny(content.allow, name);
}

function matchesAny(globs: JsonObject[string] | undefined, name: string): boolean {
  return isStringArray(globs) && globs.some((glob) => globMatches(glob, name));
}

/** `*` is any number of characters, `?` one. Runs in linear time per star, whatever the pattern. */
function globMatches(glob: string, name: string): boolean {
  const pattern = glob.toLowerCase();
  const text = name.toLowerCase();
  let at = 0;
  let star = -1;
  let resume = 0;
  let from = 0;
  while (from < text.length) {
    if (at < pattern.length && (pattern[at] === '?' || (pattern[at] !== '*' && pattern[at] === text[from]))) {
      at++;
      from++;
    } else if (pattern[at] === '*') {
      star = at++;
      resume = from;
    } else if (star !== -1) {
      at = star + 1;
      from = ++resume;
    } else return false;
  }
  while (pattern[at] === '*') at++;
  return at === pattern.length;
}
