//! Who shares masks with whom: a random graph in which every client has the same number of neighbours.
//!
//! A Harary graph over a random order of the clients (Bell et al., section 3.2): a client is joined to the nearest ones
//! on a circle. All sides compute it from the roster, so nobody chooses neighbours for anybody.

use rand_chacha::ChaCha20Rng;
use rand_core::{RngCore, SeedableRng};

/// The neighbours of each client of a roster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Graph {
    clients: Vec<u32>,
    /// Place on the circle, by position in `clients`.
    places: Vec<u32>,
    /// Position in `clients`, by place on the circle.
    order: Vec<u32>,
    neighbours: usize,
}

impl Graph {
    /// The graph over `clients` (ascending) in the order that `seed` gives. An odd number of neighbours among an odd
    /// number of clients is rounded up, and there are at most as many as there are other clients.
    pub fn new(clients: &[u32], neighbours: usize, seed: [u8; 32]) -> Self {
        debug_assert!(clients.is_sorted());
        let count = clients.len();
        let odd = neighbours % 2 == 1 && count % 2 == 1;
        let neighbours = (neighbours + usize::from(odd)).min(count.saturating_sub(1));
        let mut order: Vec<u32> = (0..count as u32).collect();
        let mut rng = ChaCha20Rng::from_seed(seed);
        for last in (1..count).rev() {
            order.swap(last, below(&mut rng, last as u32 + 1) as usize);
        }
        let mut places = vec![0; count];
        for (place, &position) in order.iter().enumerate() {
            places[position as usize] = place as u32;
        }
        Self {
            clients: clients.to_vec(),
            places,
            order,
            neighbours,
        }
    }

    /// Neighbours of each client.
    pub fn degree(&self) -> usize {
        self.neighbours
    }

    /// The neighbours of `client`, ascending; none if it is not in the roster.
    pub fn neighbours(&self, client: u32) -> Vec<u32> {
        let Ok(position) = self.clients.binary_search(&client) else {
            return Vec::new();
        };
        let count = self.clients.len();
        let place = self.places[position] as usize;
        let half = self.neighbours / 2;
        let mut found: Vec<u32> = (1..=half)
            .flat_map(|distance| [place + distance, place + count - distance])
            .chain((self.neighbours % 2 == 1).then_some(place + count / 2))
            .map(|place| self.clients[self.order[place % count] as usize])
            .collect();
        found.sort_unstable();
        found
    }
}

/// Uniform below `bound`, without bias.
pub(crate) fn below<R: RngCore + ?Sized>(rng: &mut R, bound: u32) -> u32 {
    let limit = u32::MAX - u32::MAX % bound;
    loop {
        let number = rng.next_u32();
        if number < limit {
            return number % bound;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbourhood_is_mutual_and_of_one_size() {
        for count in 3..40u32 {
            let clients: Vec<u32> = (0..count).map(|i| 3 * i + 1).collect();
            for degree in 2..count as usize {
                let graph = Graph::new(&clients, degree, [count as u8; 32]);
                for &client in &clients {
                    let neighbours = graph.neighbours(client);
                    assert_eq!(
                        neighbours.len(),
                        graph.degree(),
                        "{count} clients, {degree} neighbours"
                    );
                    assert!(
                        neighbours.windows(2).all(|pair| pair[0] < pair[1]),
                        "{neighbours:?}"
                    );
                    for other in neighbours {
                        assert_ne!(other, client);
                        assert!(graph.neighbours(other).contains(&client));
                    }
                }
                assert!(graph.degree() >= degree && graph.degree() <= degree + 1);
            }
        }
    }

    #[test]
    fn order_depends_on_the_seed() {
        let clients: Vec<u32> = (0..100).collect();
        let graphs: Vec<_> = (0..2)
            .map(|seed| Graph::new(&clients, 21, [seed; 32]))
            .collect();
        assert_ne!(graphs[0].neighbours(0), graphs[1].neighbours(0));
        assert_eq!(graphs[0].neighbours(100), Vec::<u32>::new());
    }
}
