/** A browser as far as single sign-on needs one: cookies by host, redirects, forms. */

export interface Page {
  /** Where it ended: a page, or the address of a client, which is not asked. */
  readonly url: string;
  /** 0 for the address of a client. */
  readonly status: number;
  readonly html: string;
  readonly headers: Headers;
}

const REDIRECTS_MAX = 20;

export class Browser {
  readonly cookies = new Map<string, string>();
  /** Addresses with this in them are not gone to any more. */
  stopAt: string | undefined;
  /** Every address that was gone to, in order. */
  readonly visited: string[] = [];

  /** Goes to an address and follows redirects as long as they stay on this machine. */
  async open(url: string, init: RequestInit = {}): Promise<Page> {
    let at = url;
    let options = init;
    for (let count = 0; count < REDIRECTS_MAX; count++) {
      if (!at.startsWith('http://127.0.0.1:') || (this.stopAt !== undefined && at.includes(this.stopAt)))
        return { url: at, status: 0, html: '', headers: new Headers() };
      const answer = await this.send(at, options);
      const location = answer.headers.get('location');
      if (answer.status < 300 || answer.status > 399 || location === null) {
        return { url: at, status: answer.status, html: await answer.text(), headers: answer.headers };
      }
      at = URL.canParse(location) ? location : new URL(location, at).href;
      options = {};
    }
    throw new Error('too many redirects');
  }

  /** Sends the form of a page. */
  submit(page: Page, fields: Readonly<Record<string, string>> = {}): Promise<Page> {
    const hidden = [...page.html.matchAll(/<input type="hidden" name="(\w+)" value="([^"]*)">/g)];
    const inForm = Object.fromEntries(hidden.map(([, name = '', value = '']) => [name, value]));
    return this.post(page.url, { ...inForm, ...fields });
  }

  post(url: string, fields: Readonly<Record<string, string>>): Promise<Page> {
    return this.open(url, { method: 'POST', body: new URLSearchParams(fields) });
  }

  /** One request, its redirect not followed. */
  async send(url: string, init: RequestInit = {}): Promise<Response> {
    this.visited.push(url);
    const cookie = [...this.cookies].map(([name, value]) => `${name}=${value}`).join('; ');
    const answer = await fetch(url, { ...init, redirect: 'manual', headers: { cookie, ...init.headers } });
    for (const line of answer.headers.getSetCookie()) this.#keep(line);
    return answer;
  }

  #keep(line: string): void {
    const [pair = '', ...attributes] = line.split(';');
    const name = pair.slice(0, pair.indexOf('='));
    const value = pair.slice(pair.indexOf('=') + 1);
    const isGone = attributes.some((one) => /^\s*(max-age=0|expires=Thu, 01 Jan 1970)/i.test(one));
    if (isGone) this.cookies.delete(name);
    else this.cookies.set(name, value);
  }
}
