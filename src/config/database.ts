import { z } from 'zod';

const sqlite = z
  .strictObject({
    file: z.string().min(1).optional().meta({ description: 'Default: inglenook.db in the data folder.' }),
  })
  .prefault({})
  .meta({ description: 'With type sqlite.' });

const postgres = z
  .strictObject({
    host: z
      .string()
      .min(1)
      .prefault('localhost')
      .meta({
        description: 'A host name, an address, or the folder of a unix socket.',
        examples: ['/var/run/postgresql'],
      }),
    port: z.int().min(1).max(65535).prefault(5432),
    database: z.string().min(1).prefault('inglenook'),
    user: z.string().min(1).prefault('inglenook'),
    password: z.string().optional().meta({ description: 'Not needed where PostgreSQL trusts the socket.' }),
    connections_max: z.int().min(2).max(1000).prefault(10),
  })
  .prefault({})
  .meta({ description: 'With type postgres.' });

/** `database`: where everything durable is kept. */
export const databaseSection = z
  .strictObject({
    type: z.enum(['sqlite', 'postgres']).prefault('sqlite').meta({
      description: 'sqlite is embedded and needs nothing else; postgres is for those who outgrow one machine.',
    }),
    sqlite,
    postgres,
  })
  .prefault({})
  .meta({ description: 'Where everything durable is kept.' });
