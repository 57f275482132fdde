// The registration form: walks through the stages that need nothing but the form itself.
// Spec: client-server-api/#user-interactive-authentication-api
const form = document.querySelector('form');
const message = document.querySelector('#message');
const tokenField = document.querySelector('#token-field');
const termsField = document.querySelector('#terms-field');

/** Stages that this form can answer, and what it answers them with. */
const stages = {
  'm.login.dummy': () => ({}),
  'm.login.terms': () => ({}),
  'm.login.registration_token': () => ({ token: form.token.value }),
};

async function post(body) {
  const response = await fetch('/_matrix/client/v3/register', {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  return { status: response.status, body: await response.json() };
}

/** The first flow whose stages this form knows all of. */
function usableFlow(answer) {
  return (answer.flows ?? []).find((flow) => flow.stages.every((stage) => stage in stages));
}

function showTerms(params) {
  const policies = Object.values(params?.['m.login.terms']?.policies ?? {});
  termsField.hidden = policies.length === 0;
  form.terms.required = policies.length > 0;
  const list = document.querySelector('#terms');
  list.replaceChildren(
    ...policies.map((policy) => {
      const { name, url } = policy.en ?? Object.values(policy).find((entry) => typeof entry === 'object') ?? {};
      const link = document.createElement('a');
      link.textContent = name;
      if (/^https?:/.test(url ?? '')) link.href = url;
      return link;
    }),
  );
}

async function prepare() {
  const { status, body } = await post({});
  if (status !== 401) return refuse(body.error ?? 'Registration is closed here.');
  const flow = usableFlow(body);
  if (!flow) return refuse('This server asks for steps that need another client, such as Element.');
  tokenField.hidden = !flow.stages.includes('m.login.registration_token');
  form.token.required = !tokenField.hidden;
  showTerms(flow.stages.includes('m.login.terms') ? body.params : undefined);
}

function refuse(text) {
  form.hidden = true;
  message.textContent = text;
}

async function register() {
  const account = {
    username: form.username.value.trim().toLowerCase(),
    password: form.password.value,
    inhibit_login: true,
  };
  let answer = await post(account);
  for (let step = 0; answer.status === 401 && step < 8; step++) {
    const done = answer.body.completed ?? [];
    const next = usableFlow(answer.body)?.stages.find((stage) => !done.includes(stage));
    if (!next || (step > 0 && answer.body.errcode)) break;
    answer = await post({ ...account, auth: { type: next, session: answer.body.session, ...stages[next]() } });
  }
  if (answer.status !== 200) throw new Error(answer.body.error ?? `The server answered ${answer.status}`);
  return answer.body.user_id;
}

form.addEventListener('submit', async (event) => {
  event.preventDefault();
  message.textContent = '';
  if (form.password.value !== form.again.value) {
    message.textContent = 'The two passwords differ.';
    form.again.focus();
    return;
  }
  form.submit_button.disabled = true;
  try {
    const userId = await register();
    document.querySelector('#user-id').textContent = userId;
    document.querySelector('#admin')?.remove();
    form.hidden = true;
    const done = document.querySelector('#done');
    done.hidden = false;
    done.focus();
  } catch (error) {
    message.textContent = error.message;
  } finally {
    form.submit_button.disabled = false;
  }
});

prepare().catch((error) => refuse(error.message));
