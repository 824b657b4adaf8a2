/** The title and description of the API on its page. */
export const orderApi = {
  title: 'Order Service',
  version: '1.0.0',
  description: 'Takes orders, keeps them, and shows where their fulfillment stands.',
};
