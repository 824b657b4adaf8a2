import { asyncApi } from '@orders/contracts/asyncapi';
import { addFollowRoutes } from '@orders/order-service/follow-routes';
import { addOrderRoutes, orderApi } from '@orders/order-service/routes';
import { addApiDocs } from '@orders/platform/api-docs';
import { createHttpServer } from '@orders/platform/http-server';
import { createLog } from '@orders/platform/log';

const asJson = (value: unknown): string => `${JSON.stringify(value, null, 2)}\n`;

/** docs/api/order-service.openapi.json: what GET /openapi.json of the Order Service answers. */
export async function orderServiceApi(): Promise<string> {
  const app = createHttpServer({ log: createLog({ level: 'silent' }) });
  await addApiDocs(app, { ...orderApi, asyncApi });
  // Only the routes' schemas are read: nothing is called.
  addOrderRoutes(app, {} as Parameters<typeof addOrderRoutes>[1]);
  addFollowRoutes(app, {} as Parameters<typeof addFollowRoutes>[1]);
  const document = (await app.inject('/openapi.json')).json();
  await app.close();
  return asJson(document);
}

/** docs/api/events.asyncapi.json: what GET /asyncapi.json answers. */
export async function eventsApi(): Promise<string> {
  return asJson(asyncApi);
}
