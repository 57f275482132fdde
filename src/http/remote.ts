/** Where a request comes from: the socket's address, or what a trusted proxy says about it. */
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import ipaddr from 'ipaddr.js';
import type { Remote } from './requester.ts';

/** Tells the remote end of requests. */
export type RemoteOf = (request: IncomingMessage) => Remote;

type Address = ipaddr.IPv4 | ipaddr.IPv6;
type Range = [Address, number];

/** Headers that only proxies send. With any of them a request came from elsewhere, whatever its socket says. */
const FORWARDING_HEADERS = [
  'x-forwarded-for',
  'x-forwarded-host',
  'x-forwarded-proto',
  'x-forwarded-port',
  'x-forwarded-server',
  'x-real-ip',
  'x-client-ip',
  'x-cluster-client-ip',
  'cf-connecting-ip',
  'true-client-ip',
  'forwarded',
  'via',
] as const;

/**
 * Makes the function that tells where a request comes from. `X-Forwarded-For` is believed from the right as long as the
 * hops are trusted: `trustedProxies` holds addresses and CIDR ranges; with any entry, peers on unix sockets are trusted too.
 * Throws an `Error` for an entry that is neither.
 */
export function createRemoteOf(trustedProxies: readonly string[]): RemoteOf {
  const ranges = trustedProxies.map(parseRange);
  const isTrusted = (address: string): boolean =>
    ranges.length > 0 && (address === UNIX_SOCKET || matches(address, ranges));
  return (request) => {
    const { headers } = request;
    const userAgent = headers['user-agent'] ?? '';
    const socketAddress = plainAddress(request.socket.remoteAddress);
    if (!hasForwardingHeader(headers)) {
      const isLocal = isLoopback(socketAddress) && !isOfForeignPage(headers.origin);
      return { ip: socketAddress, isLocal, userAgent };
    }
    return { ip: forwardedFor(headers, socketAddress, isTrusted), isLocal: false, userAgent };
  };
}

/** What stands for an address where the socket has none. */
export const UNIX_SOCKET = 'unix';

function forwardedFor(headers: IncomingHttpHeaders, socketAddress: string, isTrusted: (ip: string) => boolean): string {
  let address = socketAddress;
  const header = headers['x-forwarded-for'];
  if (header === undefined) return address;
  const hops = (Array.isArray(header) ? header.join(',') : header).split(',');
  for (let i = hops.length - 1; i >= 0 && isTrusted(address); i--) {
    const hop = hopAddress(hops[i] ?? '');
    if (hop === undefined) break;
    address = hop;
  }
  return address;
}

/** The address of one hop: some proxies add a port or brackets. */
function hopAddress(hop: string): string | undefined {
  const text = hop.trim();
  const bare = /^\[([^\]]+)\](?::\d+)?$/.exec(text)?.[1] ?? /^(\d+\.\d+\.\d+\.\d+):\d+$/.exec(text)?.[1] ?? text;
  return ipaddr.isValid(bare) ? ipaddr.process(bare).toString() : undefined;
}

function hasForwardingHeader(headers: IncomingHttpHeaders): boolean {
  for (const name of FORWARDING_HEADERS) if (headers[name] !== undefined) return true;
  return false;
}

/**
 * Whether a web page of another host sent the request, through a browser that runs here. Any page on the web can do that
 * to a server on loopback, and since CORS is open it could read the answer.
 */
function isOfForeignPage(origin: string | undefined): boolean {
  if (origin === undefined) return false;
  // Sandboxed frames, which any page can make.
  if (!URL.canParse(origin)) return true;
  const { protocol, hostname } = new URL(origin);
  // Programs with a scheme of their own.
  if (protocol !== 'http:' && protocol !== 'https:') return false;
  if (hostname === 'localhost' || hostname.endsWith('.localhost')) return false;
  const address = hostname.replace(/^\[|\]$/g, '');
  return !(ipaddr.isValid(address) && isLoopback(address));
}

/** IPv4 addresses as such, not mapped into IPv6 as dual-stack sockets give them. */
function plainAddress(address: string | undefined): string {
  if (address === undefined || address === '') return UNIX_SOCKET;
  return address.startsWith('::ffff:') ? address.slice('::ffff:'.length) : address;
}

function isLoopback(address: string): boolean {
  return address === '::1' || address.startsWith('127.');
}

function parseRange(entry: string): Range {
  try {
    if (entry.includes('/')) return ipaddr.parseCIDR(entry);
    const address = ipaddr.parse(entry);
    return [address, address.kind() === 'ipv4' ? 32 : 128];
  } catch {
    throw new Error(`Not an address or CIDR range: ${entry}`);
  }
}

function matches(text: string, ranges: readonly Range[]): boolean {
  if (!ipaddr.isValid(text)) return false;
  const address = ipaddr.process(text);
  return ranges.some(([network, bits]) => address.kind() === network.kind() && address.match(network, bits));
}
