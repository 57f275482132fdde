/** Several real servers with TLS on loopback, that know and trust each other. */
import { generateKeyPairSync } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import forge from 'node-forge';
import type { ConfigInput } from '../config/index.ts';
import { type Link, Links } from './links.ts';
import { freePort, TestServer } from './test-server.ts';

/** A server of the network. Its name is `localhost:PORT`. */
export interface NetworkServer {
  readonly index: number;
  readonly name: string;
  readonly server: TestServer;
}

/** The servers, and the wires between them. Disposing of it stops all. */
export interface Network extends AsyncDisposable {
  readonly servers: readonly NetworkServer[];
  /** The file with the certificate of the authority that all trust. */
  readonly caFile: string;
  /** The wires between two servers, to cut, slow down or silence them. */
  between(one: NetworkServer, other: NetworkServer): Link;
  /** The wire for the requests that one server makes to another one. */
  from(one: NetworkServer, to: NetworkServer): Link;
  /** The wires between a server and all others. */
  linksOf(one: NetworkServer): readonly Link[];
}

export interface NetworkOptions {
  /** Runs the servers in this process: they start faster and can't be killed. */
  readonly inProcess?: boolean;
  readonly config?: ConfigInput;
}

/** As many servers as were asked for. */
type Servers<N extends number> = N extends 2
  ? readonly [NetworkServer, NetworkServer]
  : N extends 3
    ? readonly [NetworkServer, NetworkServer, NetworkServer]
    : readonly NetworkServer[];

const DAY_MS = 86_400_000;

/**
 * Starts `count` real servers with TLS on loopback. What they say to each other goes through wires that a test holds.
 *
 * ```ts
 * await using net = await network(3);
 * const [one, two, three] = net.servers;
 * net.between(one, two).cut();
 * for (const link of net.linksOf(three)) link.silence();
 * await one.server.kill();
 * await one.server.restart();
 * net.between(one, two).heal();
 * ```
 */
export async function network<N extends number>(
  count: N,
  options: NetworkOptions = {},
): Promise<Network & { readonly servers: Servers<N> }> {
  await using parts = new AsyncDisposableStack();
  const folder = await mkdtemp(path.join(tmpdir(), 'inglenook-network-'));
  parts.defer(() => rm(folder, { recursive: true, force: true }));
  const files = await writeCertificates(folder);
  const links = parts.use(new Links());
  const servers: NetworkServer[] = [];
  for (let index = 0; index < count; index++) servers.push(await startOne(index, files, links, options, parts));
  if (!isCount(servers, count)) throw new Error('each server was started');
  const running = parts.move();
  return {
    servers,
    caFile: files.ca,
    between: (one, other) => links.between(one.index, other.index),
    from: (one, to) => links.from(one.index, to.index),
    linksOf: (one) => servers.flatMap((other) => (other === one ? [] : [links.between(one.index, other.index)])),
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  };
}

function isCount<N extends number>(servers: readonly NetworkServer[], count: N): servers is Servers<N> {
  return servers.length === count;
}

async function startOne(
  index: number,
  files: Awaited<ReturnType<typeof writeCertificates>>,
  links: Links,
  { inProcess = false, config = {} }: NetworkOptions,
  parts: AsyncDisposableStack,
): Promise<NetworkServer> {
  const publicPort = await freePort();
  const federationPort = await freePort();
  const name = `localhost:${publicPort}`;
  await links.stand(index, publicPort, federationPort);
  const server = await TestServer.start({
    inProcess,
    listeners: [
      {
        port: federationPort,
        addresses: ['127.0.0.1'],
        resources: ['federation'],
        tls: true,
        certificate_file: files.certificate,
        key_file: files.key,
      },
    ],
    config: {
      ...config,
      server: { ...config.server, name },
      federation: {
        ...config.federation,
        allow_private_addresses: true,
        ca_file: files.ca,
        source_address: Links.addressOf(index),
      },
    },
  });
  parts.use(server);
  return { index, name, server };
}

/** Makes an authority, and a certificate of it for `localhost` and 127.0.0.1, in a folder. */
export async function writeCertificates(folder: string) {
  const ca = makeKey();
  const own = makeKey();
  const caCertificate = certificate(ca, ca, 'Test authority', 'Test authority', [
    { name: 'basicConstraints', cA: true },
    { name: 'keyUsage', keyCertSign: true, digitalSignature: true },
  ]);
  const ownCertificate = certificate(own, ca, 'localhost', 'Test authority', [
    {
      name: 'subjectAltName',
      altNames: [
        { type: 2, value: 'localhost' },
        { type: 7, ip: '127.0.0.1' },
      ],
    },
  ]);
  const files = {
    ca: path.join(folder, 'ca.crt'),
    caKey: path.join(folder, 'ca.key'),
    certificate: path.join(folder, 'tls.crt'),
    key: path.join(folder, 'tls.key'),
  };
  await writeFile(files.ca, caCertificate);
  await writeFile(files.caKey, ca.pem);
  await writeFile(files.certificate, ownCertificate);
  await writeFile(files.key, own.pem);
  return files;
}

function makeKey() {
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const pem = privateKey.export({ format: 'pem', type: 'pkcs1' }).toString();
  const key = forge.pki.privateKeyFromPem(pem);
  return { pem, key, publicKey: forge.pki.setRsaPublicKey(key.n, key.e) };
}

type Key = ReturnType<typeof makeKey>;

function certificate(of: Key, by: Key, subject: string, issuer: string, extensions: object[]): string {
  const made = forge.pki.createCertificate();
  made.publicKey = of.publicKey;
  made.serialNumber = `01${Math.floor(Math.random() * 0xffffff)
    .toString(16)
    .padStart(6, '0')}`;
  made.validity.notBefore = new Date(Date.now() - DAY_MS);
  made.validity.notAfter = new Date(Date.now() + DAY_MS);
  made.setSubject([{ name: 'commonName', value: subject }]);
  made.setIssuer([{ name: 'commonName', value: issuer }]);
  made.setExtensions(extensions);
  made.sign(by.key, forge.md.sha256.create());
  return forge.pki.certificateToPem(made);
}
