import { isJsonObject, readString } from '../../protocol/json/index.ts';
import type { ThreePids } from '../threepids/threepids.ts';
import { type Stage, StageFailure } from './stages.ts';

/** `m.login.email.identity`: the client has an address of the user validated. Its result is the address. Spec: client-server-api/#email-based-identity--homeserver */
export function emailStage(threePids: ThreePids): Stage {
  return {
    isRepeatable: false,
    attempt: async (auth, { operation }) => {
      const credentials: unknown = auth.threepid_creds ?? auth.threepidCreds;
      const sid = isJsonObject(credentials) ? readString(credentials, 'sid') : undefined;
      const clientSecret = isJsonObject(credentials) ? readString(credentials, 'client_secret') : undefined;
      if (sid === undefined || clientSecret === undefined) {
        throw new StageFailure('M_MISSING_PARAM', 'Missing threepid_creds');
      }
      const address = await threePids.use({ sid, clientSecret }, operation === 'register' ? 'register' : 'reset');
      if (address === undefined) throw new StageFailure('M_UNAUTHORIZED', 'The e-mail address is not confirmed yet');
      return address;
    },
  };
}
