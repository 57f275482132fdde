import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { AddressPolicy } from './address-policy.ts';

/** As a browser would read them: the way from a URL to an address. */
const hostOf = (spelling: string): string => new URL(`http://${spelling}/`).hostname.replace(/^\[(.*)\]$/, '$1');

const REFUSED: Readonly<Record<string, string>> = {
  // IPv4, plainly
  '127.0.0.1': 'loopback',
  '127.255.255.254': 'the rest of loopback',
  '0.0.0.0': 'this host',
  '0.1.2.3': 'this network',
  '10.0.0.1': 'private',
  '172.16.0.1': 'private',
  '172.31.255.255': 'private',
  '192.168.1.1': 'private',
  '169.254.169.254': 'cloud metadata',
  '100.64.0.1': 'shared by carriers',
  '100.100.100.200': 'cloud metadata of another cloud',
  '192.0.0.192': 'protocol assignments',
  '192.0.2.1': 'documentation',
  '192.88.99.1': '6to4 relay',
  '198.18.0.1': 'benchmarks',
  '198.51.100.1': 'documentation',
  '203.0.113.1': 'documentation',
  '224.0.0.1': 'multicast',
  '239.255.255.250': 'multicast',
  '240.0.0.1': 'reserved',
  '255.255.255.255': 'broadcast',
  // IPv4, oddly spelt
  '127.1': 'short',
  '127.0.1': 'short',
  '2130706433': 'one number',
  '0x7f000001': 'one hexadecimal number',
  '017700000001': 'one octal number',
  '0177.0.0.1': 'octal',
  '0x7f.0x0.0x0.0x1': 'hexadecimal',
  '0x7f.1': 'mixed and short',
  '0xa9fea9fe': 'cloud metadata in hexadecimal',
  '①②⑦.⓪.⓪.①': 'circled digits',
  '127。0。0。1': 'ideographic full stops',
  '%31%32%37.0.0.1': 'percent-encoded',
  '127.0.0.1.': 'with the root dot',
  '0': 'zero',
  // IPv6
  '[::1]': 'loopback',
  '[::]': 'unspecified',
  '[0:0:0:0:0:0:0:1]': 'loopback at length',
  '[::ffff:127.0.0.1]': 'mapped loopback',
  '[::ffff:7f00:1]': 'mapped loopback in hexadecimal',
  '[::ffff:a9fe:a9fe]': 'mapped cloud metadata',
  '[::ffff:0:127.0.0.1]': 'translated loopback',
  '[::127.0.0.1]': 'compatible loopback',
  '[64:ff9b::7f00:1]': 'NAT64 to loopback',
  '[64:ff9b::a00:1]': 'NAT64 to a private address',
  '[64:ff9b:1::1]': 'local NAT64',
  '[2002:7f00:1::]': '6to4 to loopback',
  '[2001:0:4136:e378:8000:63bf:3fff:fdd2]': 'Teredo',
  '[2001:db8::1]': 'documentation',
  '[3fff::1]': 'documentation',
  '[fc00::1]': 'private',
  '[fd00:ec2::254]': 'cloud metadata over IPv6',
  '[fe80::1]': 'link-local',
  '[fec0::1]': 'site-local',
  '[ff02::1]': 'multicast',
  '[100::1]': 'discard',
  '[5f00::1]': 'segment routing',
};

describe('AddressPolicy', () => {
  const policy = new AddressPolicy();
  for (const [spelling, what] of Object.entries(REFUSED)) {
    it(`refuses ${spelling}: ${what}`, () => assert.equal(policy.isAllowed(hostOf(spelling)), false));
  }

  for (const address of [
    '1.1.1.1',
    '93.184.216.34',
    '172.32.0.1',
    '100.128.0.1',
    '2606:4700:4700::1111',
    '::ffff:8.8.8.8',
  ]) {
    it(`lets ${address} through`, () => assert.equal(policy.isAllowed(address), true));
  }

  it('refuses what is no address', () => {
    for (const text of ['', 'localhost', 'example.com', 'fe80::1%eth0', '2001:4860::1%lo', '1.1.1.1:80', '127.1']) {
      assert.equal(policy.isAllowed(text), false, text);
    }
  });

  it('makes the exceptions that it is told, for mapped addresses too, and no others', () => {
    const own = new AddressPolicy({ allowed: ['10.1.2.0/24', 'fd00:1::5'], denied: ['1.1.1.0/24', '2606:4700::/32'] });
    assert.equal(own.isAllowed('10.1.2.3'), true);
    assert.equal(own.isAllowed('::ffff:10.1.2.3'), true);
    assert.equal(own.isAllowed('10.1.3.3'), false);
    assert.equal(own.isAllowed('fd00:1::5'), true);
    assert.equal(own.isAllowed('fd00:1::6'), false);
    assert.equal(own.isAllowed('1.1.1.1'), false);
    assert.equal(own.isAllowed('2606:4700:4700::1111'), false);
  });
});
