//! What a customer and an artisan do over HTTP, and what the order's own sides say afterwards.

import { eventually } from "./eventually.js";

const ARTISAN = "art-alfar-ubeda";

/// Lists a product with a stock and a price in cents, and waits until it can be ordered.
export async function list(host, productId, initialStock, price) {
  await host.post("/api/v1/artisans", {
    artisanId: ARTISAN,
    businessName: "Alfar de Úbeda",
    contactEmail: "alfar@example.org",
    contactPhone: "+34 953 000 000",
    businessAddress: {
      street: "Calle Valencia 22",
      city: "Úbeda",
      province: "Jaén",
      postalCode: "23400",
      coordinates: { lat: 38.0133, lng: -3.3705 },
    },
    specialties: ["cerámica"],
    craftingTechniques: ["vidriado"],
    certifications: [],
  });
  await host.post(`/api/v1/artisans/${ARTISAN}/products`, {
    productId,
    productName: `Cuenco ${productId}`,
    category: "ceramica",
    subcategory: "cuencos",
    description: "Torneado a mano",
    price,
    currency: "EUR",
    initialStock,
    craftingTime: 18,
    materials: ["arcilla"],
    customizable: false,
  });
  await eventually(`${productId} can be ordered`, async () => (await stock(host, productId))?.available === initialStock);
}

/// A product's stock.
export function stock(host, productId) {
  return host.get(`/api/v1/inventory/availability/${productId}`);
}

/// Waits until the order's saga has come to an end; its state.
export function sagaEnds(host, orderId) {
  return eventually(`the saga of ${orderId} ends`, async () => {
    const saga = await host.get(`/api/v1/sagas/${orderId}`);
    return ["completed", "failed", "stuck"].includes(saga?.state) && saga.state;
  });
}

/// What the gateway's own ledger has taken for an order, in cents.
export async function charges(host, orderId) {
  const ledger = await host.get(`/gateway/ledger?merchantReference=${orderId}`);
  return ledger.entries.filter(({ kind }) => kind === "charge").map(({ amount }) => amount);
}
