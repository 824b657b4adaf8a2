import swagger from '@fastify/swagger';
import swaggerUi from '@fastify/swagger-ui';
import type { HttpServer } from './http-server.ts';

/**
 * Adds `/openapi.json` (made from the routes' own schemas), `/asyncapi.json` and the page `/docs`, which loads nothing from
 * outside. To be called before the routes are added.
 */
export async function addApiDocs(
  app: HttpServer,
  about: { title: string; version: string; description: string; asyncApi: object },
): Promise<void> {
  const { title, version, description, asyncApi } = about;
  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: { title, version, description },
      components: { securitySchemes: { apiKey: { type: 'http', scheme: 'bearer' } } },
    },
    refResolver: { buildLocalReference: (json, _base, _fragment, i) => String(json.$id ?? `schema-${i}`) },
  });
  await app.register(swaggerUi, { routePrefix: '/docs', staticCSP: true });
  const hidden = { hide: true } as object;
  app.get('/openapi.json', { schema: hidden }, async () => app.swagger());
  app.get('/asyncapi.json', { schema: hidden }, async () => asyncApi);
}
