/** Spec: data/api/client-server/support.yaml */
import type { Config } from '../config/index.ts';
import { type Route, route } from '../http/route.ts';
import { notFound } from '../protocol/errors.ts';

/** Whom users may ask. */
export function supportRoutes({ config }: { config: Pick<Config, 'well_known'> }): Route[] {
  const { contacts = [], page } = config.well_known.support ?? {};
  const answer = {
    ...(contacts.length === 0 ? {} : { contacts }),
    ...(page === undefined ? {} : { support_page: page }),
  };
  return [
    route({
      method: 'GET',
      path: '/.well-known/matrix/support',
      operationId: 'getWellknownSupport',
      spec: 'client-server-api/#getwell-knownmatrixsupport',
      auth: 'none',
      handle: () => {
        if (Object.keys(answer).length === 0) throw notFound('No contact is configured');
        return answer;
      },
    }),
  ];
}
