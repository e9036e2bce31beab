//! The publish endpoint: `POST /{subject}`, for the HTTP handlers of components that run elsewhere.
//!
//! Who asks is known by its token alone; what it may publish is what the manifest grants that component.

use crate::bus::EventBus;
use crate::calls::Publisher;
use crate::clock::Clock;
use crate::durability::Durability;
use crate::manifest::Application;
use crate::problem::Problem;
use crate::tokens::{BRIDGE, Trusted};
use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use http::{HeaderValue, Response, StatusCode, header};
use rustc_hash::FxHashMap;
use std::io;
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use wasmtime_wasi_http::WasiBody;

/// What the endpoint works with.
pub struct Publishing {
    publishers: FxHashMap<String, Publisher>,
    trusted: Trusted,
    durability: Arc<dyn Durability>,
    clock: Arc<dyn Clock>,
}

impl Publishing {
    /// For the components of `application`, each known by its keys in `trusted`.
    #[must_use]
    pub fn new(
        application: &Application,
        trusted: Trusted,
        bus: &Arc<dyn EventBus>,
        durability: Arc<dyn Durability>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let publisher = |component| Publisher::new(component, Arc::clone(bus));
        let publishers = application.components.iter().map(|component| (component.id.clone(), publisher(component)));
        Self { publishers: publishers.collect(), trusted, durability, clock }
    }

    async fn answer(&self, request: Request) -> Response<WasiBody> {
        let authorization = request.headers().get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        match self.trusted.verify(authorization, BRIDGE, self.clock.now()) {
            Ok(party) => match self.publishers.get(&*party) {
                Some(publisher) => publisher.publish_durably(request, &*self.durability).await,
                None => denied(&format!("`{party}` is no component of this application")),
            },
            Err(why) => denied(&why.to_string()),
        }
    }
}

fn denied(why: &str) -> Response<WasiBody> {
    tracing::warn!("publish refused: {why}");
    let mut response = Problem::new(StatusCode::UNAUTHORIZED, why).into_response();
    let challenge = HeaderValue::from_static("Bearer error=\"invalid_token\"");
    response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
    response
}

/// Serves the endpoint on `listener` until `shutdown`.
///
/// # Errors
/// Where the listener fails.
pub async fn serve(publishing: Arc<Publishing>, listener: TcpListener, shutdown: CancellationToken) -> io::Result<()> {
    let router = Router::new().fallback(publish).with_state(publishing);
    axum::serve(listener, router).with_graceful_shutdown(shutdown.cancelled_owned()).await
}

async fn publish(State(publishing): State<Arc<Publishing>>, request: Request) -> Response<Body> {
    publishing.answer(request).await.map(Body::new)
}
