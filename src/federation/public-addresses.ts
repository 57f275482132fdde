import { lookup } from 'node:dns';
import type { LookupFunction } from 'node:net';
import { AddressPolicy } from '../address-policy.ts';

/** An address that may not be connected to, since it is not on the public internet. */
export class ForbiddenAddressError extends Error {
  override readonly name = 'ForbiddenAddressError';
}

const PUBLIC_ONLY = new AddressPolicy();

/** Whether an IP address is one of the public internet; what isn't an address is not. */
export function isPublicAddress(address: string): boolean {
  return PUBLIC_ONLY.isAllowed(address);
}

/**
 * A look-up of names that gives public addresses only. The socket connects to what this gives, so a name can't lead
 * elsewhere between the check and the connection.
 */
export const lookupPublic: LookupFunction = (hostname, options, callback) => {
  lookup(hostname, { ...options, all: true }, (error, addresses) => {
    if (error !== null) {
      callback(error, '', 0);
      return;
    }
    const allowed = addresses.filter(({ address }) => isPublicAddress(address));
    const [first] = allowed;
    if (first === undefined) callback(new ForbiddenAddressError(`${hostname} has no public address`), '', 0);
    else if (options.all === true) callback(null, allowed);
    else callback(null, first.address, first.family);
  });
};
