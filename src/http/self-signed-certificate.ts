/** A certificate for TLS listeners that were given none: made once, kept in the data folder. */
import { generateKeyPair, randomBytes, X509Certificate } from 'node:crypto';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';

/** A certificate and its key, both PEM. */
export interface CertificatePair {
  readonly cert: string;
  readonly key: string;
}

const VALID_DAYS = 365;
const RENEW_BEFORE_DAYS = 30;
const DAY_MS = 24 * 3600 * 1000;

/**
 * The certificate in `self-signed.crt` and `self-signed.key` of the folder; made anew where there is none, where it is
 * for another name, or where it expires within a month. It names the server, `localhost` and the loopback addresses.
 */
export async function selfSignedCertificate(folder: string, serverName: string): Promise<CertificatePair> {
  const certFile = path.join(folder, 'self-signed.crt');
  const keyFile = path.join(folder, 'self-signed.key');
  const host = hostOf(serverName);
  const kept = await readPair(certFile, keyFile);
  if (kept !== undefined && isStillGood(kept.cert, host)) return kept;
  const made = await makePair(host);
  await mkdir(folder, { recursive: true });
  await writeFile(keyFile, made.key, { mode: 0o600 });
  await writeFile(certFile, made.cert);
  return made;
}

/** The server name without its port and brackets. */
function hostOf(serverName: string): string {
  return /^\[([^\]]+)\]/.exec(serverName)?.[1] ?? serverName.split(':')[0] ?? serverName;
}

async function readPair(certFile: string, keyFile: string): Promise<CertificatePair | undefined> {
  try {
    return { cert: await readFile(certFile, 'utf8'), key: await readFile(keyFile, 'utf8') };
  } catch {
    return undefined;
  }
}

function isStillGood(cert: string, host: string): boolean {
  try {
    const certificate = new X509Certificate(cert);
    const namesHost = certificate.checkHost(host) !== undefined || certificate.checkIP(host) !== undefined;
    return namesHost && Date.parse(certificate.validTo) - Date.now() > RENEW_BEFORE_DAYS * DAY_MS;
  } catch {
    return false;
  }
}

/** node:crypto makes the key (forge takes seconds in JavaScript), forge the certificate (node:crypto has no way to). */
async function makePair(host: string): Promise<CertificatePair> {
  const { default: forge } = await import('node-forge');
  const { privateKey: key } = await promisify(generateKeyPair)('rsa', {
    modulusLength: 2048,
    publicKeyEncoding: { type: 'spki', format: 'pem' },
    privateKeyEncoding: { type: 'pkcs1', format: 'pem' },
  });
  const privateKey = forge.pki.privateKeyFromPem(key);
  const certificate = forge.pki.createCertificate();
  certificate.publicKey = forge.pki.setRsaPublicKey(privateKey.n, privateKey.e);
  // A leading zero keeps the number positive.
  certificate.serialNumber = `00${randomBytes(16).toString('hex')}`;
  certificate.validity.notBefore = new Date(Date.now() - DAY_MS);
  certificate.validity.notAfter = new Date(Date.now() + VALID_DAYS * DAY_MS);
  const subject = [{ name: 'commonName', value: host }];
  certificate.setSubject(subject);
  certificate.setIssuer(subject);
  certificate.setExtensions([
    { name: 'basicConstraints', cA: false, critical: true },
    { name: 'keyUsage', digitalSignature: true, keyEncipherment: true, critical: true },
    { name: 'extKeyUsage', serverAuth: true, clientAuth: true },
    { name: 'subjectAltName', altNames: altNames(host) },
  ]);
  certificate.sign(privateKey, forge.md.sha256.create());
  return { cert: forge.pki.certificateToPem(certificate), key };
}

const ALT_NAME_DNS = 2;
const ALT_NAME_IP = 7;

function altNames(host: string) {
  const names = new Set([host, 'localhost', '127.0.0.1', '::1']);
  return [...names].map((name) =>
    /^[\d.]+$|:/.test(name) ? { type: ALT_NAME_IP, ip: name } : { type: ALT_NAME_DNS, value: name },
  );
}
