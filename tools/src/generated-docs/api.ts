import { asyncApi } from '@orders/contracts/asyncapi';
import { addOperatorRoutes as addFulfillmentOperatorRoutes } from '@orders/fulfillment-service/operate/operator-routes';
import { addFulfillmentRoutes, fulfillmentApi } from '@orders/fulfillment-service/operate/routes';
import { addOperatorRoutes as addOrderOperatorRoutes } from '@orders/order-service/operate/routes';
import { orderApi } from '@orders/order-service/order-api';
import { addFollowRoutes } from '@orders/order-service/show/follow-routes';
import { addShowRoutes } from '@orders/order-service/show/routes';
import { addCancelRoute, addPlaceRoute } from '@orders/order-service/take/routes';
import { addApiDocs } from '@orders/platform/http/api-docs';
import { createHttpServer, type HttpServer } from '@orders/platform/http/server';
import { createLog } from '@orders/platform/process/log';

const asJson = (value: unknown): string => `${JSON.stringify(value, null, 2)}\n`;

/** docs/api/order-service.openapi.json: what GET /openapi.json of the Order Service answers. */
export const orderServiceApi = (): Promise<string> =>
  openApi(orderApi, (app) => {
    addPlaceRoute(app, {} as Parameters<typeof addPlaceRoute>[1]);
    addCancelRoute(app, {} as Parameters<typeof addCancelRoute>[1]);
    addShowRoutes(app, {} as Parameters<typeof addShowRoutes>[1]);
    addFollowRoutes(app, {} as Parameters<typeof addFollowRoutes>[1]);
    addOrderOperatorRoutes(app, {} as Parameters<typeof addOrderOperatorRoutes>[1]);
  });

/**
 * docs/api/fulfillment-service.openapi.json: what GET /openapi.json of the Fulfillment Service
 * answers.
 */
export const fulfillmentServiceApi = (): Promise<string> =>
  openApi(fulfillmentApi, (app) => {
    addFulfillmentRoutes(app, {} as Parameters<typeof addFulfillmentRoutes>[1]);
    addFulfillmentOperatorRoutes(app, {} as Parameters<typeof addFulfillmentOperatorRoutes>[1]);
  });

/** Only the schemas of the routes are read: nothing is called. */
async function openApi(
  about: typeof orderApi,
  addRoutes: (app: HttpServer) => void,
): Promise<string> {
  const app = createHttpServer({ log: createLog({ level: 'silent' }) });
  await addApiDocs(app, { ...about, asyncApi });
  addRoutes(app);
  const document = (await app.inject('/openapi.json')).json();
  await app.close();
  return asJson(document);
}

/** docs/api/events.asyncapi.json: what GET /asyncapi.json answers. */
export async function eventsApi(): Promise<string> {
  return asJson(asyncApi);
}
