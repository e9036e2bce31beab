//! Who is near: a map of workshops in cells of a quarter of a degree, one value a cell.

use crate::domain::ArtisanState;
use kit::Failure;
use kit::aggregate::{self, retry};
use kit::events::artisan::{ArtisanStatus, VerificationLevel};
use kit::events::common::Coordinates;
use kit::keys::key;
use kit::ports::{Ports, StoreError};
use kit::projection::{self, View};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Cells a degree: a cell is about 28 km high and, in Andalusia, 22 km wide.
const CELLS_PER_DEGREE: f64 = 4.0;
/// Cells around the globe.
const AROUND: i64 = 1_440;
/// Kilometres of a degree of latitude.
const DEGREE_KM: f64 = 111.195;
/// Mean radius of the Earth, in kilometres.
const EARTH_KM: f64 = 6_371.009;
/// Largest radius, in kilometres: bounds the cells that one request reads.
pub const MAX_RADIUS_KM: f64 = 200.0;
/// Latitudes beyond this are not searched: cells grow too narrow there, and nobody works there.
pub const MAX_LATITUDE: f64 = 80.0;

#[derive(Default, Serialize, Deserialize)]
struct Cell(BTreeMap<String, Mark>);

impl View for Cell {
    const FORMAT: u32 = 1;
}

/// A workshop on the map.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Mark {
    /// The aggregate's version this was made of: a later one wins.
    version: u64,
    name: String,
    city: String,
    specialties: Vec<String>,
    at: Coordinates,
    status: ArtisanStatus,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    level: Option<VerificationLevel>,
}

/// An artisan who is near.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Neighbour {
    /// The artisan.
    pub artisan_id: String,
    /// Name of the workshop.
    pub business_name: String,
    /// Its town.
    pub city: String,
    /// What is made there.
    pub specialties: Vec<String>,
    /// Where it is.
    pub coordinates: Coordinates,
    /// How well the artisan is known to us; absent where not verified.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub verification_level: Option<VerificationLevel>,
    /// Kilometres as the crow flies, to the metre.
    pub distance_km: f64,
}

/// Marks an artisan on the map as the aggregate now is.
///
/// # Errors
/// Where the store does not answer.
pub async fn index<P: Ports>(ports: &P, artisan_id: &str) -> Result<(), Failure> {
    let Some((ArtisanState { registered: Some(artisan) }, version)) =
        aggregate::read::<ArtisanState, P>(ports, artisan_id).await.map_err(retry)?
    else {
        return Ok(());
    };
    let address = artisan.profile.business_address;
    let cell = cell_key(row(address.coordinates.lat), column(address.coordinates.lng));
    let mark = Mark {
        version,
        name: artisan.profile.business_name,
        city: address.city,
        specialties: artisan.profile.specialties,
        at: address.coordinates,
        status: artisan.status,
        level: artisan.verification.map(|verification| verification.level),
    };
    projection::update(ports, &cell, |cell: &mut Cell| {
        let newer = cell.0.get(artisan_id).is_none_or(|there| there.version < version);
        if newer {
            cell.0.insert(artisan_id.to_owned(), mark.clone());
        }
        newer
    })
    .await?;
    Ok(())
}

/// The artisans who sell within a radius, nearest first.
///
/// # Errors
/// Where the store does not answer.
pub async fn within<P: Ports>(ports: &P, centre: Coordinates, radius_km: f64) -> Result<Vec<Neighbour>, StoreError> {
    let keys = cells_around(centre, radius_km);
    let cells = projection::read_many::<Cell, P>(ports, &keys).await?;
    let marks = cells.into_iter().flatten().flat_map(|cell| cell.0);
    let mut found: Vec<_> = marks
        .filter(|(_, mark)| crate::domain::sells(mark.status))
        .map(|(id, mark)| neighbour(id, mark, centre))
        .filter(|neighbour| neighbour.distance_km <= radius_km)
        .collect();
    found.sort_by(|a, b| a.distance_km.total_cmp(&b.distance_km).then_with(|| a.artisan_id.cmp(&b.artisan_id)));
    Ok(found)
}

fn neighbour(artisan_id: String, mark: Mark, centre: Coordinates) -> Neighbour {
    Neighbour {
        artisan_id,
        business_name: mark.name,
        city: mark.city,
        specialties: mark.specialties,
        coordinates: mark.at,
        verification_level: mark.level,
        distance_km: (distance_km(centre, mark.at) * 1_000.0).round() / 1_000.0,
    }
}

/// Great-circle distance (haversine), in kilometres.
fn distance_km(a: Coordinates, b: Coordinates) -> f64 {
    let half = |from: f64, to: f64| ((to - from).to_radians() / 2.0).sin().powi(2);
    let across = a.lat.to_radians().cos() * b.lat.to_radians().cos() * half(a.lng, b.lng);
    2.0 * EARTH_KM * (half(a.lat, b.lat) + across).sqrt().min(1.0).asin()
}

/// Keys of all cells that the circle touches. The map has no edge at the date line.
fn cells_around(centre: Coordinates, radius_km: f64) -> Vec<String> {
    let height = radius_km / DEGREE_KM;
    let (south, north) = (centre.lat - height, centre.lat + height);
    // The circle is widest, in degrees, on its poleward side.
    let narrowest = south.abs().max(north.abs()).min(89.0).to_radians().cos();
    let width = (height / narrowest).min(180.0);
    let (west, east) = (column(centre.lng - width), column(centre.lng + width));
    let columns = west..=east.min(west + AROUND - 1);
    (row(south)..=row(north)).flat_map(|row| columns.clone().map(move |column| cell_key(row, column))).collect()
}

fn row(lat: f64) -> i64 {
    cell_index(lat)
}

fn column(lng: f64) -> i64 {
    cell_index(lng)
}

#[expect(clippy::cast_possible_truncation, reason = "degrees are checked: some thousands at most")]
fn cell_index(degrees: f64) -> i64 {
    (degrees * CELLS_PER_DEGREE).floor() as i64
}

fn cell_key(row: i64, column: i64) -> String {
    key("cell", &[&row.to_string(), &column.rem_euclid(AROUND).to_string()])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_are_those_of_the_map() {
        let (jaen, ubeda) = (Coordinates { lat: 37.7796, lng: -3.7849 }, Coordinates { lat: 38.0133, lng: -3.3705 });
        let km = distance_km(jaen, ubeda);
        assert!((44.0..46.0).contains(&km), "{km}");
        assert!(distance_km(jaen, jaen) < 1e-9);
    }

    #[test]
    fn a_circle_over_the_date_line_touches_both_sides() {
        let keys = cells_around(Coordinates { lat: 0.0, lng: 179.9 }, 50.0);
        assert!(keys.contains(&cell_key(0, column(179.9))) && keys.contains(&cell_key(0, column(-179.9))), "{keys:?}");
    }
}
