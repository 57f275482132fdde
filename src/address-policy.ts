/** Which network addresses the server may be sent to by strangers: link previews, and the names and answers of other servers. */
import ipaddr from 'ipaddr.js';

/** Not on the public internet, or of a kind that can lead to what isn't. Registries of special-purpose addresses: RFC 6890 and successors. */
const SPECIAL_RANGES = [
  // "This" network, private networks, shared by carriers, loopback, link-local (cloud metadata).
  '0.0.0.0/8',
  '10.0.0.0/8',
  '100.64.0.0/10',
  '127.0.0.0/8',
  '169.254.0.0/16',
  '172.16.0.0/12',
  '192.168.0.0/16',
  // Protocol assignments, documentation, 6to4 relays, benchmarks.
  '192.0.0.0/24',
  '192.0.2.0/24',
  '192.88.99.0/24',
  '198.18.0.0/15',
  '198.51.100.0/24',
  '203.0.113.0/24',
  // Sinks and relays at addresses that anybody may announce (AS112, AMT).
  '192.31.196.0/24',
  '192.52.193.0/24',
  '192.175.48.0/24',
  // Multicast, reserved, broadcast.
  '224.0.0.0/4',
  '240.0.0.0/4',
  // IPv6 within 2000::/3: Teredo and other protocol assignments, documentation, 6to4, AS112.
  '2001::/23',
  '2001:db8::/32',
  '2002::/16',
  '3fff::/20',
  '2620:4f:8000::/48',
];

/** Global unicast; all else of IPv6 is loopback, mapped, NAT64, private, link-local or multicast. */
const IPV6_GLOBAL = '2000::/3';

type Range = ReturnType<typeof ipaddr.parseCIDR>;

export interface AddressRules {
  /** CIDR ranges or addresses to refuse besides the special ones. */
  readonly denied?: readonly string[];
  /** Exceptions to both, for services in the own network. */
  readonly allowed?: readonly string[];
}

/** Decides about addresses. Names are resolved elsewhere, and every address they have is asked about. */
export class AddressPolicy {
  readonly #allowed: readonly Range[];
  readonly #denied: readonly Range[];
  readonly #global: Range = ipaddr.parseCIDR(IPV6_GLOBAL);

  /** Throws an `Error` for an entry that is no address or range. */
  constructor({ denied = [], allowed = [] }: AddressRules = {}) {
    this.#allowed = allowed.map(toRange);
    this.#denied = [...SPECIAL_RANGES, ...denied].map(toRange);
  }

  /** Whether a connection to the address (as text, IPv4 or IPv6) may be made. What is no address may not. */
  isAllowed(text: string): boolean {
    const address = parse(text);
    if (address === undefined) return false;
    if (isIn(address, this.#allowed)) return true;
    if (address.kind() === 'ipv6' && !isIn(address, [this.#global])) return false;
    return !isIn(address, this.#denied);
  }
}

type Address = ipaddr.IPv4 | ipaddr.IPv6;

/** IPv4 in IPv6 (`::ffff:a.b.c.d`) is the IPv4 address: that is where such a connection goes. */
function parse(text: string): Address | undefined {
  const bare = text.replace(/^\[(.*)\]$/, '$1');
  // Zone ids only exist for link-local addresses.
  if (bare.includes('%') || (!ipaddr.IPv4.isValidFourPartDecimal(bare) && !ipaddr.IPv6.isValid(bare))) return undefined;
  return ipaddr.process(bare);
}

function toRange(entry: string): Range {
  if (entry.includes('/')) return ipaddr.parseCIDR(entry);
  const address = ipaddr.parse(entry);
  return ipaddr.parseCIDR(`${entry}/${address.kind() === 'ipv4' ? 32 : 128}`);
}

function isIn(address: Address, ranges: readonly Range[]): boolean {
  return ranges.some(([network, bits]) => network.kind() === address.kind() && address.match(network, bits));
}
