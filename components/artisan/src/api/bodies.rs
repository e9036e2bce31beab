//! Bodies of requests, and the events they ask for.

use super::check::Checks;
use crate::domain::SYSTEM;
use kit::events::artisan::{
    ArtisanRegistered, ArtisanStatus, ArtisanStatusChangeRequested, ArtisanVerifyRequested, BusinessAddress,
    NewProductListed, ProductDimensions, VerificationLevel,
};
use kit::http::Problem;
use kit::time::Millis;
use serde::Deserialize;

/// Longest name, street, reason and the like, in characters.
const LINE: usize = 200;
/// Longest description, in characters.
const TEXT: usize = 4_000;
/// Highest price of a piece, in minor units: ten million euros.
const MAX_PRICE: u64 = 1_000_000_000;
/// Most pieces of a product at the start.
const MAX_STOCK: u32 = 1_000_000;

/// `POST /api/v1/artisans`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct RegisterBody {
    pub(super) artisan_id: Option<String>,
    business_name: String,
    contact_email: String,
    contact_phone: String,
    business_address: BusinessAddress,
    #[serde(default)]
    specialties: Vec<String>,
    #[serde(default)]
    crafting_techniques: Vec<String>,
    #[serde(default)]
    certifications: Vec<String>,
}

/// Checks a registration and makes its event.
pub(super) fn profile(body: &RegisterBody, now: Millis) -> Result<ArtisanRegistered, Problem> {
    let address = &body.business_address;
    let mut checks = Checks::default();
    checks.id("artisanId", body.artisan_id.as_deref());
    checks.that(body.artisan_id.as_deref() != Some("nearby"), "artisanId", "`nearby` is a route: choose another id");
    checks.text("businessName", &body.business_name, LINE);
    checks.text("contactEmail", &body.contact_email, LINE);
    checks.that(body.contact_email.contains('@'), "contactEmail", "expected an e-mail address");
    checks.text("contactPhone", &body.contact_phone, LINE);
    checks.text("businessAddress.street", &address.street, LINE);
    checks.text("businessAddress.city", &address.city, LINE);
    checks.text("businessAddress.province", &address.province, LINE);
    checks.text("businessAddress.postalCode", &address.postal_code, LINE);
    checks.range("businessAddress.coordinates.lat", address.coordinates.lat, -90.0..=90.0);
    checks.range("businessAddress.coordinates.lng", address.coordinates.lng, -180.0..=180.0);
    checks.words("specialties", &body.specialties);
    checks.words("craftingTechniques", &body.crafting_techniques);
    checks.words("certifications", &body.certifications);
    checks.done()?;
    Ok(ArtisanRegistered {
        business_name: body.business_name.clone(),
        contact_email: body.contact_email.clone(),
        contact_phone: body.contact_phone.clone(),
        business_address: address.clone(),
        specialties: body.specialties.clone(),
        crafting_techniques: body.crafting_techniques.clone(),
        certifications: body.certifications.clone(),
        registered_at: now.rfc3339(),
    })
}

/// `POST …/{id}/verify`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct VerifyBody {
    verification_level: VerificationLevel,
    verified_by: String,
    background_check_passed: bool,
    insurance_validated: bool,
}

impl VerifyBody {
    /// Checks it and makes the command.
    pub(super) fn command(self, now: Millis) -> Result<ArtisanVerifyRequested, Problem> {
        let mut checks = Checks::default();
        checks.text("verifiedBy", &self.verified_by, LINE);
        checks.done()?;
        Ok(ArtisanVerifyRequested {
            verification_level: self.verification_level,
            verified_at: now.rfc3339(),
            verified_by: self.verified_by,
            background_check_passed: self.background_check_passed,
            insurance_validated: self.insurance_validated,
        })
    }
}

/// `POST …/{id}/status`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct StatusBody {
    new_status: ArtisanStatus,
    reason: String,
    changed_by: String,
    automatic_reactivation_date: Option<String>,
}

impl StatusBody {
    /// Checks it and makes the command.
    pub(super) fn command(self, now: Millis) -> Result<ArtisanStatusChangeRequested, Problem> {
        let mut checks = Checks::default();
        checks.text("reason", &self.reason, LINE);
        checks.text("changedBy", &self.changed_by, LINE);
        checks.that(self.changed_by != SYSTEM, "changedBy", "`system` is the marketplace itself: say who you are");
        let date = self.automatic_reactivation_date.as_deref().map(Millis::parse);
        checks.that(
            date.is_none_or(|date| date.is_some_and(|date| date > now)),
            "automaticReactivationDate",
            "expected an RFC 3339 instant in the future",
        );
        checks.that(
            date.is_none() || self.new_status == ArtisanStatus::Suspended,
            "automaticReactivationDate",
            "only a suspension ends by itself",
        );
        checks.done()?;
        Ok(ArtisanStatusChangeRequested {
            new_status: self.new_status,
            reason: self.reason,
            changed_at: now.rfc3339(),
            changed_by: self.changed_by,
            automatic_reactivation_date: date.flatten().map(Millis::rfc3339),
        })
    }
}

/// `POST …/{artisanId}/products`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ListBody {
    pub(super) product_id: Option<String>,
    product_name: String,
    category: String,
    subcategory: String,
    description: String,
    price: u64,
    currency: String,
    initial_stock: u32,
    crafting_time: f64,
    #[serde(default)]
    materials: Vec<String>,
    dimensions: Option<ProductDimensions>,
    customizable: bool,
    sustainability_score: Option<f64>,
}

/// Checks a listing and makes its event.
pub(super) fn listing(body: &ListBody, artisan_id: &str, now: Millis) -> Result<NewProductListed, Problem> {
    let mut checks = Checks::default();
    checks.id("productId", body.product_id.as_deref());
    checks.that(body.product_id.as_deref() != Some("search"), "productId", "`search` is a route: choose another id");
    checks.text("productName", &body.product_name, LINE);
    checks.text("category", &body.category, LINE);
    checks.text("subcategory", &body.subcategory, LINE);
    checks.text("description", &body.description, TEXT);
    let in_range = (1..=MAX_PRICE).contains(&body.price);
    checks.that(in_range, "price", "expected minor units from 1 to 1000000000");
    let code = body.currency.len() == 3 && body.currency.bytes().all(|byte| byte.is_ascii_uppercase());
    checks.that(code, "currency", "expected an ISO 4217 code such as EUR");
    checks.that(body.initial_stock <= MAX_STOCK, "initialStock", "expected at most 1000000 pieces");
    checks.range("craftingTime", body.crafting_time, 0.0..=100_000.0);
    checks.words("materials", &body.materials);
    if let Some(size) = body.dimensions {
        checks.range("dimensions.width", size.width, 0.0..=100_000.0);
        checks.range("dimensions.height", size.height, 0.0..=100_000.0);
        checks.range("dimensions.depth", size.depth, 0.0..=100_000.0);
        checks.range("dimensions.weight", size.weight, 0.0..=100_000.0);
    }
    checks.range("sustainabilityScore", body.sustainability_score.unwrap_or_default(), 0.0..=10.0);
    checks.done()?;
    Ok(NewProductListed {
        artisan_id: artisan_id.to_owned(),
        product_name: body.product_name.clone(),
        category: body.category.clone(),
        subcategory: body.subcategory.clone(),
        description: body.description.clone(),
        price: body.price,
        currency: body.currency.clone(),
        initial_stock: body.initial_stock,
        crafting_time: body.crafting_time,
        materials: body.materials.clone(),
        dimensions: body.dimensions,
        customizable: body.customizable,
        sustainability_score: body.sustainability_score,
        listed_at: now.rfc3339(),
    })
}
