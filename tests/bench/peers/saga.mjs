// The order's saga on Restate, in JavaScript: reserve each piece, charge, confirm; what was done is undone where a step is
// refused. The same as in rust/src/main.rs. Its address comes from PORT.

// Node 20 has not what the SDK needs of Node 22.
Promise.withResolvers ??= () => {
  const made = {};
  made.promise = new Promise((resolve, reject) => Object.assign(made, { resolve, reject }));
  return made;
};
const restate = await import("@restatedev/restate-sdk");

const refusal = (code) => new restate.TerminalError(code, { errorCode: 409 });

// One product: how many pieces are where.
const stock = restate.object({
  name: "Stock",
  handlers: {
    restock: async (ctx, quantity) => {
      ctx.set("available", ((await ctx.get("available")) ?? 0) + quantity);
    },
    reserve: async (ctx, quantity) => {
      const available = (await ctx.get("available")) ?? 0;
      if (available < quantity) throw refusal("insufficient-stock");
      ctx.set("available", available - quantity);
      ctx.set("reserved", ((await ctx.get("reserved")) ?? 0) + quantity);
    },
    release: async (ctx, quantity) => {
      ctx.set("available", ((await ctx.get("available")) ?? 0) + quantity);
      ctx.set("reserved", ((await ctx.get("reserved")) ?? 0) - quantity);
    },
  },
});

// One charge at the payment gateway.
const gateway = restate.object({
  name: "Gateway",
  handlers: {
    charge: async (ctx, { amount, method }) => {
      if (method === "tok_declined") throw refusal("card-declined");
      ctx.set("charged", amount);
    },
    refund: async (ctx) => {
      ctx.set("refunded", (await ctx.get("charged")) ?? 0);
    },
  },
});

// One order.
const order = restate.object({
  name: "Order",
  handlers: {
    create: async (ctx, placed) => {
      ctx.set("order", placed);
      ctx.set("status", "pending");
    },
    confirm: async (ctx) => {
      ctx.set("status", "confirmed");
    },
    cancel: async (ctx, reason) => {
      ctx.set("status", "cancelled");
      ctx.set("reason", reason);
    },
    status: restate.handlers.object.shared(async (ctx) => ctx.get("status")),
  },
});

const saga = restate.service({
  name: "Saga",
  handlers: {
    place: async (ctx, placed) => {
      const own = ctx.objectClient(order, placed.orderId);
      const undo = [];
      await own.create(placed);
      try {
        const reservations = placed.items.map(({ productId, quantity }) => ({
          done: ctx.objectClient(stock, productId).reserve(quantity),
          undo: () => ctx.objectClient(stock, productId).release(quantity),
        }));
        let refused;
        for (const reservation of reservations) {
          try {
            await reservation.done;
            undo.push(reservation.undo);
          } catch (error) {
            refused ??= error;
          }
        }
        if (refused) throw refused;
        const charge = ctx.objectClient(gateway, placed.orderId);
        undo.push(() => charge.refund());
        await charge.charge({ amount: placed.amount, method: placed.method });
        await own.confirm();
        return "confirmed";
      } catch (error) {
        if (!(error instanceof restate.TerminalError)) throw error;
        for (const step of undo.reverse()) await step();
        await own.cancel(error.message);
        return "cancelled";
      }
    },
  },
});

await restate.serve({ services: [stock, gateway, order, saga], port: Number(process.env.PORT) });
