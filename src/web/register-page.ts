import { renderPage } from './page.ts';
import type { PageFacts } from './start-page.ts';

/** The registration form at `/_web/register`; `pages/register.js` makes it work. Pure: facts in, HTML out. */
export function renderRegisterPage({ nextIsAdmin, webClient }: Pick<PageFacts, 'nextIsAdmin' | 'webClient'>): string {
  return renderPage({
    title: 'Make an account',
    script: 'register.js',
    body: [
      ...(nextIsAdmin ? ['<p id="admin">This is the first account here: it becomes the administrator.</p>'] : []),
      '<p id="message" class="error" role="alert"></p>',
      FORM,
      `<div id="done" tabindex="-1" hidden>
        <p class="running">Your account <code id="user-id"></code> is ready.</p>
        ${webClient ? '<p><a class="button" href="/_web/">Sign in and chat</a></p>' : '<p>Sign in with any Matrix client.</p>'}
      </div>`,
      '<footer><a href="/">Back to the start page</a></footer>',
    ],
  });
}

const FORM = `<form>
        <label for="username">User name</label>
        <input id="username" name="username" autocomplete="username" autocapitalize="none" spellcheck="false"
          pattern="[A-Za-z0-9._=\\-\\/+]+" title="Letters, digits and . _ = - / +" maxlength="200" required autofocus />
        <label for="password">Password</label>
        <input id="password" name="password" type="password" autocomplete="new-password" required />
        <label for="again">Password, once more</label>
        <input id="again" name="again" type="password" autocomplete="new-password" required />
        <div id="token-field" hidden>
          <label for="token">Registration token</label>
          <input id="token" name="token" autocomplete="off" />
        </div>
        <div id="terms-field" class="check" hidden>
          <input id="agreed" name="terms" type="checkbox" />
          <label for="agreed">I agree to <span id="terms"></span></label>
        </div>
        <button name="submit_button" type="submit">Make the account</button>
      </form>`;
