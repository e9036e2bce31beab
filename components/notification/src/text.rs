//! The words, in Spanish: subject and body of each notification.

use crate::content::Content;
use crate::threads::Order;
use kit::events::artisan::{ArtisanStatus, VerificationLevel};
use kit::events::order::CancellationReason;

/// Subject and body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Words {
    /// One line.
    pub subject: String,
    /// A sentence or two.
    pub body: String,
}

fn words(subject: impl Into<String>, body: impl Into<String>) -> Words {
    Words { subject: subject.into(), body: body.into() }
}

/// The words of an order's note. `order` is what is known of it.
#[must_use]
pub fn of_order(content: &Content, order_id: &str, order: Option<&Order>) -> Words {
    let currency = order.map_or("EUR", |order| order.currency.as_str());
    match content {
        Content::OrderCreated { total } => words(
            "Hemos recibido tu pedido",
            format!(
                "Tu pedido {order_id} por {} está en marcha. Te avisaremos cuando se confirme.",
                money(*total, currency)
            ),
        ),
        Content::OrderConfirmed { arrives } => words(
            "Tu pedido está confirmado",
            format!("El pedido {order_id} está confirmado. Entrega prevista: {}.", date(arrives)),
        ),
        Content::OrderCancelled { reason, refund } => {
            let refund = refund.map(|amount| format!(" Te devolveremos {}.", money(amount, currency)));
            let body =
                format!("El pedido {order_id} se ha cancelado {}.{}", because(*reason), refund.unwrap_or_default());
            words("Tu pedido se ha cancelado", body)
        }
        Content::OrderDelivered { recipient } => words(
            "Tu pedido ha llegado",
            format!("El pedido {order_id} se ha entregado a {recipient}. ¡Que lo disfrutes!"),
        ),
        Content::StockReserved { product_id, quantity } => {
            let product = order.and_then(|order| order.products.get(product_id)).unwrap_or(product_id);
            let body = format!("Hemos apartado {} de «{product}» para el pedido {order_id}.", pieces(*quantity));
            words("Hemos apartado tus piezas", body)
        }
        Content::PaymentSucceeded { amount, currency } => words(
            "Pago recibido",
            format!("Hemos cobrado {} por el pedido {order_id}. Gracias.", money(*amount, currency)),
        ),
        Content::PaymentFailed { again: true, .. } => words(
            "El pago no ha podido completarse todavía",
            format!(
                "El pago del pedido {order_id} no ha salido bien. Lo intentamos de nuevo; no tienes que hacer nada."
            ),
        ),
        Content::PaymentFailed { again: false, .. } => words(
            "El pago ha sido rechazado",
            format!("No hemos podido cobrar el pedido {order_id}. Revisa tu forma de pago y vuelve a pedirlo."),
        ),
        Content::PaymentRefunded { amount: 0, .. } => words(
            "No hay nada que devolver",
            format!("Del pedido {order_id} no se llegó a cobrar nada, así que no hay nada que devolver."),
        ),
        Content::PaymentRefunded { amount, days } => words(
            "Te hemos devuelto el dinero",
            format!("Hemos devuelto {} del pedido {order_id}. {}", money(*amount, currency), arrives_in(*days)),
        ),
        other => of_person(other),
    }
}

/// The words of a person's note.
#[must_use]
pub fn of_person(content: &Content) -> Words {
    match content {
        Content::StockLow { product_name, left: 0 } => {
            words("Existencias agotadas", format!("No queda ninguna pieza de «{product_name}»."))
        }
        Content::StockLow { product_name, left } => {
            let left = if *left == 1 { "Queda 1 pieza".to_owned() } else { format!("Quedan {left} piezas") };
            words("Quedan pocas existencias", format!("{left} de «{product_name}». Repón cuando puedas."))
        }
        Content::UserRegistered { first_name } => words(
            "Te damos la bienvenida",
            format!("Hola, {first_name}: tu cuenta está lista. Descubre la artesanía de Jaén."),
        ),
        Content::ProfileUpdated { fields } => {
            words("Tu perfil ha cambiado", format!("Se han actualizado estos datos: {}.", fields.join(", ")))
        }
        Content::PreferencesChanged => {
            words("Tus preferencias han cambiado", "Hemos guardado tus nuevas preferencias.")
        }
        Content::ArtisanVerified { level } => words(
            "Tu taller está verificado",
            format!("Enhorabuena: tu taller ha obtenido la verificación {}.", level_name(*level)),
        ),
        Content::ArtisanStatusChanged { status, reason } => words(
            "La situación de tu taller ha cambiado",
            format!("Tu taller está ahora {}. Motivo: {reason}.", status_name(*status)),
        ),
        Content::ProductListed { product_name, price, currency } => words(
            "Tu producto está a la venta",
            format!("«{product_name}» está publicado por {}.", money(*price, currency)),
        ),
        Content::SagaStuck { order_id, outstanding, .. } => words(
            "Un pedido necesita ayuda",
            format!("El pedido {order_id} no se puede deshacer solo. Sin confirmar: {}.", outstanding.join(", ")),
        ),
        other => words("Aviso", format!("Hay novedades: {}.", other.subject())),
    }
}

fn pieces(quantity: u32) -> String {
    if quantity == 1 { "1 pieza".to_owned() } else { format!("{quantity} piezas") }
}

fn arrives_in(days: u32) -> String {
    match days {
        0 => "Ya está en camino.".to_owned(),
        1 => "Llegará en 1 día laborable.".to_owned(),
        days => format!("Llegará en {days} días laborables."),
    }
}

fn because(reason: CancellationReason) -> &'static str {
    match reason {
        CancellationReason::CustomerRequest => "a petición tuya",
        CancellationReason::PaymentFailed => "porque no se ha podido cobrar",
        CancellationReason::InventoryUnavailable => "porque no quedan existencias suficientes",
        CancellationReason::ArtisanUnavailable => "porque el taller no puede atenderlo",
    }
}

fn level_name(level: VerificationLevel) -> &'static str {
    match level {
        VerificationLevel::Basic => "básica",
        VerificationLevel::Premium => "prémium",
        VerificationLevel::Master => "de maestría",
    }
}

fn status_name(status: ArtisanStatus) -> &'static str {
    match status {
        ArtisanStatus::Pending => "pendiente de verificación",
        ArtisanStatus::Active => "activo",
        ArtisanStatus::Inactive => "inactivo",
        ArtisanStatus::Suspended => "suspendido",
        ArtisanStatus::Banned => "excluido",
    }
}

/// `2026-01-15T…` as `15/01/2026`; anything else as it is.
fn date(instant: &str) -> String {
    let day = instant.split('T').next().unwrap_or(instant);
    let mut parts = day.splitn(3, '-');
    match (parts.next(), parts.next(), parts.next()) {
        (Some(year), Some(month), Some(day)) => format!("{day}/{month}/{year}"),
        _ => instant.to_owned(),
    }
}

/// Minor units as people write them here: `1.234,50 €`. Currencies without minor units keep theirs.
#[must_use]
pub fn money(minor: u64, currency: &str) -> String {
    let has_minor = !matches!(currency, "JPY" | "KRW" | "CLP");
    let digits = if has_minor { minor / 100 } else { minor }.to_string();
    let mut amount = String::with_capacity(digits.len() * 2);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place) % 3 == 0 {
            amount.push('.');
        }
        amount.push(digit);
    }
    if has_minor {
        amount.push_str(&format!(",{:02}", minor % 100));
    }
    format!("{amount} {}", if currency == "EUR" { "€" } else { currency })
}
