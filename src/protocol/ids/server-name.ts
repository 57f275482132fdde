import type { ServerName } from './brands.ts';
import { ID_BYTES_MAX } from './size.ts';

const DNS_NAME = /^[0-9A-Za-z.-]{1,255}$/;
const IPV6_CHARS = /^[0-9A-Fa-f:.]{2,45}$/;
const IPV4 = /^(?:\d{1,3}\.){3}\d{1,3}$/;
const HEX_GROUP = /^[0-9A-Fa-f]{1,4}$/;
const PORT = /^\d{1,5}$/;

/** What a server name is made of. */
export interface ServerNameParts {
  readonly kind: 'dns' | 'ipv4' | 'ipv6';
  /** Without port; IPv6 without brackets. */
  readonly hostname: string;
  readonly port: number | undefined;
}

/**
 * Parses a server name; undefined where it breaks the grammar.
 * Spec: appendices/#server-name
 */
export function parseServerName(text: string): ServerName | undefined {
  return splitServerName(text) === undefined ? undefined : (text as ServerName);
}

/**
 * The parts of a server name, or undefined where it breaks the grammar.
 * Spec: appendices/#server-name
 */
export function splitServerName(text: string): ServerNameParts | undefined {
  if (text.length > ID_BYTES_MAX) return undefined;
  const bracket = text.startsWith('[') ? text.indexOf(']') : -1;
  const colon = text.indexOf(':', bracket + 1);
  const host = colon === -1 ? text : text.slice(0, colon);
  const port = colon === -1 ? undefined : parsePort(text.slice(colon + 1));
  if (colon !== -1 && port === undefined) return undefined;
  if (bracket !== -1) {
    if (bracket !== host.length - 1) return undefined;
    const hostname = host.slice(1, bracket);
    return isIpv6(hostname) ? { kind: 'ipv6', hostname, port } : undefined;
  }
  if (!DNS_NAME.test(host)) return undefined;
  return { kind: isIpv4(host) ? 'ipv4' : 'dns', hostname: host, port };
}

function parsePort(text: string): number | undefined {
  if (!PORT.test(text)) return undefined;
  const port = Number(text);
  return port <= 65535 ? port : undefined;
}

function isIpv4(text: string): boolean {
  return IPV4.test(text) && text.split('.').every((part) => Number(part) <= 255);
}

/** RFC 3513, section 2.2: eight groups, one `::` for some of them, the last two possibly as IPv4. */
function isIpv6(text: string): boolean {
  if (!IPV6_CHARS.test(text)) return false;
  const halves = text.split('::');
  if (halves.length > 2) return false;
  let groups = 0;
  for (const [index, half] of halves.entries()) {
    if (half === '') continue;
    const parts = half.split(':');
    for (const [at, part] of parts.entries()) {
      const isLast = index === halves.length - 1 && at === parts.length - 1;
      if (HEX_GROUP.test(part)) groups += 1;
      else if (isLast && isIpv4(part)) groups += 2;
      else return false;
    }
  }
  return halves.length === 2 ? groups <= 7 : groups === 8;
}
