import swagger from '@fastify/swagger';
import swaggerUi from '@fastify/swagger-ui';
import type { HttpServer } from './server.ts';

/**
 * Adds `/openapi.json` (made from the routes' own schemas), `/asyncapi.json` and the page `/docs`,
 * which loads nothing from outside; `/` leads to it. To be called before the routes are added.
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
    refResolver: {
      buildLocalReference: (json, _base, _fragment, i) => String(json.$id ?? `schema-${i}`),
    },
  });
  await app.register((pages, _options, done) => {
    pages.addHook('onSend', async (_request, _reply, payload) =>
      typeof payload === 'string' ? forSmallScreens(payload) : payload,
    );
    pages.register(swaggerUi, { routePrefix: '/docs', staticCSP: true, theme: { title } });
    done();
  });
  const hidden = { hide: true } as object;
  app.get('/', { schema: hidden }, async (_request, reply) => reply.redirect('/docs/'));
  app.get('/openapi.json', { schema: hidden }, async () =>
    withOptionalBodies(app.swagger() as Document),
  );
  app.get('/asyncapi.json', { schema: hidden }, async () => asyncApi);
}

/** The generated page has no viewport, so a phone would shrink it to unreadable letters. */
const forSmallScreens = (page: string): string =>
  page.replace(
    '<meta charset="UTF-8">',
    '$&\n      <meta name="viewport" content="width=device-width, initial-scale=1">',
  );

type Operation = { 'x-body-optional'?: boolean; requestBody?: { required: boolean } };
type Document = { paths: Record<string, Record<string, Operation>> };

/** The generator demands a body wherever there is a schema for one. */
function withOptionalBodies(document: Document): Document {
  for (const operation of Object.values(document.paths).flatMap(Object.values<Operation>)) {
    if (operation['x-body-optional'] === true && operation.requestBody)
      operation.requestBody.required = false;
  }
  return document;
}
