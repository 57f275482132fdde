/** How clients name somebody by an address. Spec: data/api/client-server/definitions/invite_3pid.yaml */
import { z } from 'zod';
import type { AddressInvite } from '../identity/index.ts';

export const thirdPartyWish = z.object({
  medium: z.string(),
  address: z.string(),
  id_server: z.string().optional(),
  id_access_token: z.string().optional(),
});

/** The wish as the engine takes it. */
export function toAddressInvite(wish: z.output<typeof thirdPartyWish>): AddressInvite {
  const { medium, address, id_server: idServer, id_access_token: idAccessToken } = wish;
  return { medium, address, idServer, idAccessToken };
}
