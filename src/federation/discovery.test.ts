import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { parseServerName, type ServerName } from '../protocol/ids/index.ts';
import { Discovery, type ResolveSrv } from './discovery.ts';
import { type PlainAnswer, WellKnown } from './well-known.ts';

const HOUR_MS = 3_600_000;

function name(text: string): ServerName {
  return parseServerName(text) ?? assert.fail(text);
}

/** A world of `.well-known` files and SRV records, and what was asked of it. */
function world(options: {
  readonly files?: Readonly<Record<string, Partial<PlainAnswer>>>;
  readonly records?: Readonly<Record<string, readonly (readonly [host: string, port: number, priority?: number])[]>>;
}) {
  const asked: string[] = [];
  let now = 1_000_000;
  const clock = { now: () => now };
  const get = async (url: URL): Promise<PlainAnswer> => {
    asked.push(url.href);
    const answer = options.files?.[url.href];
    if (answer === undefined) throw new Error('nobody there');
    return { status: 200, location: undefined, cacheControl: undefined, body: '', ...answer };
  };
  const resolveSrv: ResolveSrv = async (service) => {
    asked.push(service);
    const records = options.records?.[service];
    if (records === undefined) throw new Error('no such records');
    return records.map(([host, port, priority = 0]) => ({ name: host, port, priority, weight: 1 }));
  };
  const wellKnown = new WellKnown(get, clock);
  const discovery = new Discovery({ clock, wellKnown, random: () => 0.5, resolveSrv });
  return {
    asked,
    pass: (ms: number) => {
      now += ms;
    },
    find: async (server: string) =>
      (await discovery.find(name(server))).map(
        ({ hostname, port, host, certificateName }) => `${hostname} ${port} ${host} ${certificateName}`,
      ),
    forget: (server: string) => discovery.forget(name(server)),
  };
}

const delegation = (server: string, more: Partial<PlainAnswer> = {}) => ({
  body: JSON.stringify({ 'm.server': server }),
  ...more,
});
const FILE = 'https://example.org/.well-known/matrix/server';

describe('finding a server', () => {
  const cases: readonly (readonly [what: string, server: string, world: Parameters<typeof world>[0], string[]])[] = [
    ['an IPv4 literal', '192.0.2.1', {}, ['192.0.2.1 8448 192.0.2.1 192.0.2.1']],
    ['an IPv6 literal with a port', '[2001:db8::1]:99', {}, ['2001:db8::1 99 [2001:db8::1]:99 2001:db8::1']],
    ['a name with a port', 'example.org:99', {}, ['example.org 99 example.org:99 example.org']],
    [
      'a delegation to an IP literal',
      'example.org',
      { files: { [FILE]: delegation('192.0.2.7') } },
      ['192.0.2.7 8448 192.0.2.7 192.0.2.7'],
    ],
    [
      'a delegation to a name with a port',
      'example.org',
      { files: { [FILE]: delegation('matrix.example.net:443') } },
      ['matrix.example.net 443 matrix.example.net:443 matrix.example.net'],
    ],
    [
      'a delegation to a name with SRV records, the best first',
      'example.org',
      {
        files: { [FILE]: delegation('example.net') },
        records: {
          '_matrix-fed._tcp.example.net': [
            ['b.example.net', 2, 20],
            ['a.example.net', 1, 10],
          ],
        },
      },
      ['a.example.net 1 example.net example.net', 'b.example.net 2 example.net example.net'],
    ],
    [
      'a delegation to a name with SRV records of the old service',
      'example.org',
      {
        files: { [FILE]: delegation('example.net') },
        records: { '_matrix._tcp.example.net': [['a.example.net', 1]] },
      },
      ['a.example.net 1 example.net example.net'],
    ],
    [
      'a delegation to a name without anything else',
      'example.org',
      { files: { [FILE]: delegation('example.net') } },
      ['example.net 8448 example.net example.net'],
    ],
    [
      'no delegation but SRV records, the new service before the old one',
      'example.org',
      {
        records: {
          '_matrix-fed._tcp.example.org': [['new.example.org', 1]],
          '_matrix._tcp.example.org': [['old.example.org', 2]],
        },
      },
      ['new.example.org 1 example.org example.org'],
    ],
    ['nothing at all', 'example.org', {}, ['example.org 8448 example.org example.org']],
    [
      'a delegation that is no JSON',
      'example.org',
      { files: { [FILE]: { body: '<html>' } } },
      ['example.org 8448 example.org example.org'],
    ],
    [
      'a delegation to what is no server name',
      'example.org',
      { files: { [FILE]: delegation('http://example.net/') } },
      ['example.org 8448 example.org example.org'],
    ],
    [
      'a delegation behind redirects',
      'example.org',
      {
        files: {
          [FILE]: { status: 302, location: '/elsewhere' },
          'https://example.org/elsewhere': { status: 301, location: 'https://example.net/file' },
          'https://example.net/file': delegation('example.net:1'),
        },
      },
      ['example.net 1 example.net:1 example.net'],
    ],
    [
      'a circle of redirects',
      'example.org',
      { files: { [FILE]: { status: 302, location: FILE } } },
      ['example.org 8448 example.org example.org'],
    ],
    [
      'a redirect to plain http',
      'example.org',
      {
        files: {
          [FILE]: { status: 302, location: 'http://example.net/file' },
          'http://example.net/file': delegation('evil.example:1'),
        },
      },
      ['example.org 8448 example.org example.org'],
    ],
  ];
  for (const [what, server, options, wanted] of cases) {
    it(`follows ${what}`, async () => assert.deepEqual(await world(options).find(server), wanted));
  }

  it('asks once for all who want to know, and again when what it knows is too old or was wrong', async () => {
    const { find, asked, pass, forget } = world({
      files: { [FILE]: delegation('example.net:1', { cacheControl: 'public, max-age=7200' }) },
    });
    await Promise.all([find('example.org'), find('example.org')]);
    assert.deepEqual(asked, [FILE]);
    pass(1.9 * HOUR_MS);
    await find('example.org');
    assert.equal(asked.length, 1);
    pass(0.2 * HOUR_MS);
    await find('example.org');
    assert.equal(asked.length, 2);
    forget('example.org');
    await find('example.org');
    assert.equal(asked.length, 3);
  });

  it('believes no delegation for longer than two days, and none that could not be read for longer than an hour', async () => {
    const forever = world({ files: { [FILE]: delegation('example.net:1', { cacheControl: 'max-age=9999999' }) } });
    await forever.find('example.org');
    forever.pass(49 * HOUR_MS);
    await forever.find('example.org');
    assert.equal(forever.asked.length, 2);
    const files = { [FILE]: { status: 500 } };
    const broken = world({ files });
    await broken.find('example.org');
    broken.pass(1.1 * HOUR_MS);
    await broken.find('example.org');
    assert.equal(broken.asked.filter((url) => url === FILE).length, 2);
  });
});
