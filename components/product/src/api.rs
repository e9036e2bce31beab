//! The routes of products.

use crate::catalogue::{self, Maker, Product};
use crate::search::{self, Query};
use kit::events::artisan::{ArtisanStatus, NewProductListed, VerificationLevel};
use kit::http::{Items, Page, Problem, Request, Response, ids_of, page_of};
use kit::ids::is_id;
use kit::ports::Ports;
use serde::Serialize;

/// Longest `q` and `category`, in bytes.
const MAX_TEXT: usize = 200;

/// Answers a request below `/api/v1/products`.
pub async fn serve<P: Ports>(ports: &P, request: &Request) -> Response {
    let segments = request.segments();
    let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
    let answer = match (request.method.as_str(), segments.as_slice()) {
        ("GET", ["api", "v1", "products"]) => show_many(ports, request).await,
        ("GET", ["api", "v1", "products", "search"]) => find(ports, request).await,
        ("GET", ["api", "v1", "products", id]) => show(ports, id).await,
        (method, ["api", "v1", "products"] | ["api", "v1", "products", _]) => {
            Err(Problem::method_not_allowed(method, "GET"))
        }
        _ => Err(Problem::not_found(&format!("nothing is served at {}", request.path()))),
    };
    answer.unwrap_or_else(Response::from)
}

/// A product as HTTP shows it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ProductView<'a> {
    product_id: &'a str,
    /// Whether it can be ordered now: its maker sells and a piece is free.
    available: bool,
    stock: StockView,
    artisan: MakerView<'a>,
    #[serde(flatten)]
    details: &'a NewProductListed,
}

impl<'a> ProductView<'a> {
    fn of(product: &'a Product, maker: &'a Maker) -> Self {
        let updated_at = product.stock.as_ref().map(|stock| stock.at().rfc3339());
        Self {
            product_id: &product.listed.id,
            available: maker.sells() && product.free() > 0,
            stock: StockView { available: product.free(), updated_at },
            artisan: MakerView::of(maker),
            details: &product.listed.details,
        }
    }
}

/// The free pieces as the catalogue knows them; inventory alone knows for certain.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct StockView {
    available: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    updated_at: Option<String>,
}

/// The maker as the catalogue knows it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct MakerView<'a> {
    sells: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<ArtisanStatus>,
    #[serde(skip_serializing_if = "Option::is_none")]
    business_name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    verification_level: Option<VerificationLevel>,
}

impl<'a> MakerView<'a> {
    fn of(maker: &'a Maker) -> Self {
        Self {
            sells: maker.sells(),
            status: maker.status.as_ref().map(|status| status.value),
            business_name: maker.verified.as_ref().map(|verified| verified.value.0.as_str()),
            verification_level: maker.verified.as_ref().map(|verified| verified.value.1),
        }
    }
}

async fn show<P: Ports>(ports: &P, id: &str) -> Result<Response, Problem> {
    let unknown = || Problem::not_found(&format!("no product is listed under {id}"));
    if !is_id(id) {
        return Err(unknown());
    }
    let product = catalogue::products(ports, &[id.to_owned()]).await?.pop().ok_or_else(unknown)?;
    let maker = catalogue::maker(ports, &product.listed.details.artisan_id).await?;
    Ok(Response::json(200, &ProductView::of(&product, &maker)))
}

/// Those that are listed.
async fn show_many<P: Ports>(ports: &P, request: &Request) -> Result<Response, Problem> {
    let products = catalogue::products(ports, &ids_of(request, "ids")?).await?;
    let makers = catalogue::makers(ports, &products).await?;
    let unknown = Maker::default();
    let view = |product| ProductView::of(product, makers.get(maker_of(product)).unwrap_or(&unknown));
    Ok(Response::json(200, &Items { items: products.iter().map(view).collect() }))
}

fn maker_of(product: &Product) -> &str {
    &product.listed.details.artisan_id
}

/// A product in a list.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Summary {
    product_id: String,
    artisan_id: String,
    product_name: String,
    category: String,
    subcategory: String,
    price: u64,
    currency: String,
    /// Whether a piece is free; what is found has a maker who sells.
    available: bool,
}

impl From<Product> for Summary {
    fn from(product: Product) -> Self {
        let available = product.free() > 0;
        let (product_id, details) = (product.listed.id, product.listed.details);
        Self {
            product_id,
            artisan_id: details.artisan_id,
            product_name: details.product_name,
            category: details.category,
            subcategory: details.subcategory,
            price: details.price,
            currency: details.currency,
            available,
        }
    }
}

async fn find<P: Ports>(ports: &P, request: &Request) -> Result<Response, Problem> {
    let (page, page_size) = page_of(request)?;
    let query = query_of(request)?;
    let found = search::find(ports, &query, page, page_size).await?;
    let products = catalogue::products(ports, &found.ids).await?;
    let items: Vec<_> = products.into_iter().map(Summary::from).collect();
    Ok(Response::json(200, &Page { items, page, page_size, total: found.total }))
}

fn query_of(request: &Request) -> Result<Query, Problem> {
    let text = |name: &str| match request.query(name) {
        Some(text) if text.len() > MAX_TEXT => {
            Err(Problem::invalid_field(name, format!("expected at most {MAX_TEXT} bytes")))
        }
        text => Ok(text.filter(|text| !text.trim().is_empty())),
    };
    let max_price = match request.query("maxPrice").filter(|price| !price.is_empty()) {
        None => None,
        Some(price) => Some(price.parse().map_err(|_| {
            Problem::invalid_field("maxPrice", format!("expected a whole number of minor units, got `{price}`"))
        })?),
    };
    Ok(Query { text: text("q")?.unwrap_or_default(), category: text("category")?, max_price })
}
