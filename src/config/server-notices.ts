import { z } from 'zod';

/** `server_notices`: how the server speaks to its users. */
export const serverNoticesSection = z
  .strictObject({
    user: z
      .string()
      .regex(/^[a-z0-9._=/+-]+$/, 'expected the name of a user, without @ and server')
      .prefault('server-notices')
      .meta({
        description:
          'In whose name the server speaks. The account is made when it first does; nobody can log in to it.',
      }),
    display_name: z.string().min(1).prefault('Server').meta({ description: 'How this user is called.' }),
    avatar_url: z
      .string()
      .regex(/^mxc:\/\/[^/]+\/[A-Za-z0-9_-]+$/, 'expected mxc://server/id')
      .optional()
      .meta({ description: 'The picture of this user and of new rooms.', examples: ['mxc://example.org/abcdef'] }),
    room_name: z.string().min(1).prefault('Server notices').meta({ description: 'The name of new rooms.' }),
  })
  .prefault({})
  .meta({ description: 'How the server itself speaks to its users: each has one room for that.' });
