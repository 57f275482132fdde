/** The address at which a client waits for its login token. It comes with the request, so it is not trusted. */

/** An address that may be redirected to. */
export interface RedirectUrl {
  readonly href: string;
  /** Who is behind it, for people: an origin, or the scheme of an app. */
  readonly client: string;
  /** What a content security policy calls it. */
  readonly policySource: string;
}

const HREF_CHARS_MAX = 4096;

/** Schemes that run or show what they are given, or lead to files, other programs or the browser itself. */
const REFUSED_SCHEMES: ReadonlySet<string> = new Set([
  ...['javascript', 'vbscript', 'livescript', 'mocha', 'data', 'blob', 'filesystem', 'file', 'about', 'view-source'],
  ...['chrome', 'chrome-extension', 'moz-extension', 'resource', 'jar', 'intent', 'ws', 'wss', 'ftp', 'mailto', 'tel'],
  ...['sms', 'cid', 'mid', 'urn', 'matrix', 'mxc'],
]);

/** The address, or undefined where nobody may be sent there. Schemes of apps are allowed: mobile clients have them. */
export function parseRedirectUrl(text: string): RedirectUrl | undefined {
  // A parser drops tabs and newlines in silence; nobody honest sends them.
  if (text.length > HREF_CHARS_MAX || hasControlCharacters(text)) return undefined;
  const url = URL.parse(text);
  if (url === null || url.username !== '' || url.password !== '' || url.href.length > HREF_CHARS_MAX) return undefined;
  const scheme = url.protocol.slice(0, -1);
  if (REFUSED_SCHEMES.has(scheme) || !/^[a-z][a-z0-9+.-]*$/.test(scheme)) return undefined;
  if (scheme === 'http' || scheme === 'https') {
    return { href: url.href, client: url.origin, policySource: `${scheme}:` };
  }
  return {
    href: url.href,
    client: url.host === '' ? `${scheme}:` : `${scheme}://${url.host}`,
    policySource: `${scheme}:`,
  };
}

/** The address with the login token in its query, in place of any that was there. Nothing else of it changes. */
export function withLoginToken(href: string, token: string): string {
  const [beforeHash = '', ...hash] = href.split('#');
  const [path = '', ...query] = beforeHash.split('?');
  const kept = query
    .join('?')
    .split('&')
    .filter((pair) => pair !== '' && !isLoginToken(pair));
  const search = [...kept, `loginToken=${encodeURIComponent(token)}`].join('&');
  return `${path}?${search}${hash.length === 0 ? '' : `#${hash.join('#')}`}`;
}

/** Whether the address begins with one of the trusted ones: same origin, and their path or one below it. */
export function isTrusted(href: string, trusted: readonly string[]): boolean {
  const url = new URL(href);
  if (url.protocol !== 'http:' && url.protocol !== 'https:') return false;
  return trusted.some((prefix) => {
    const { origin, pathname } = new URL(prefix);
    const folder = pathname.endsWith('/') ? pathname : `${pathname}/`;
    return url.origin === origin && (url.pathname === pathname || url.pathname.startsWith(folder));
  });
}

function isLoginToken(pair: string): boolean {
  const name = pair.split('=', 1)[0] ?? '';
  return new URLSearchParams(`${name}=`).has('loginToken');
}

function hasControlCharacters(text: string): boolean {
  for (let index = 0; index < text.length; index++) {
    const code = text.charCodeAt(index);
    if (code <= 0x20 || code === 0x7f) return true;
  }
  return false;
}
