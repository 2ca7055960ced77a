//! Batches cut into what one request takes.

use hush_client::{ClientError, Tensor};

/// Samples that are taken a few at a time, in order; one tensor an input of the model.
pub(crate) struct Rows<I> {
    batches: I,
    batch: Vec<Tensor>,
    /// Samples of the batch.
    samples: usize,
    /// Samples of it that were taken.
    taken: usize,
    /// Samples of the batches before it.
    before: u64,
}

impl<I, E> Rows<I>
where
    I: Iterator<Item = Result<Vec<Tensor>, E>>,
    E: From<ClientError>,
{
    pub(crate) fn new(batches: I) -> Self {
        Self {
            batches,
            batch: Vec::new(),
            samples: 0,
            taken: 0,
            before: 0,
        }
    }

    /// The next samples, at most so many; `None` at the end. `check` finds how many samples a batch has.
    pub(crate) fn next(
        &mut self,
        most: usize,
        check: impl Fn(&[Tensor]) -> Result<usize, ClientError>,
    ) -> Result<Option<Vec<Tensor>>, E> {
        if self.taken == self.samples {
            self.before += self.samples as u64;
            let Some(batch) = self.batches.next() else {
                (self.samples, self.taken) = (0, 0);
                return Ok(None);
            };
            self.batch = batch?;
            self.samples = check(&self.batch).map_err(|error| later(error, self.before))?;
            self.taken = 0;
        }
        if self.taken == 0 && self.samples <= most {
            self.taken = self.samples;
            return Ok(Some(std::mem::take(&mut self.batch)));
        }
        let end = self.samples.min(self.taken + most.max(1));
        let cut = self.batch.iter().map(|tensor| {
            let width = tensor.data().len() / self.samples.max(1);
            let mut shape = tensor.shape().to_vec();
            shape[0] = end - self.taken;
            Tensor::new(
                shape,
                tensor.data()[self.taken * width..end * width].to_vec(),
            )
        });
        let cut = cut.collect::<Result<Vec<_>, _>>()?;
        self.taken = end;
        Ok(Some(cut))
    }
}

/// Counts the samples of an error from the first batch on.
fn later(mut error: ClientError, before: u64) -> ClientError {
    if let ClientError::NotFinite { sample, .. } = &mut error {
        *sample += usize::try_from(before).unwrap_or(usize::MAX);
    }
    error
}

#[cfg(test)]
mod tests {
    use super::*;

    fn batch(first: usize, samples: usize) -> Result<Vec<Tensor>, ClientError> {
        let data = (2 * first..2 * (first + samples)).map(|value| value as f64);
        Ok(vec![Tensor::new(vec![samples, 2], data.collect())?])
    }

    fn count(tensors: &[Tensor]) -> Result<usize, ClientError> {
        Ok(tensors[0].shape()[0])
    }

    #[test]
    fn every_sample_comes_once_and_in_order() {
        for most in 1..9 {
            let mut rows = Rows::new([batch(0, 5), batch(5, 1), batch(6, 4)].into_iter());
            let mut seen = Vec::new();
            while let Some(tensors) = rows.next(most, count).unwrap() {
                assert!(tensors[0].shape()[0] <= most);
                seen.extend_from_slice(tensors[0].data());
            }
            let expected: Vec<f64> = (0..20).map(f64::from).collect();
            assert_eq!(seen, expected);
            assert!(rows.next(most, count).unwrap().is_none());
        }
    }

    #[test]
    fn a_sample_that_is_wrong_is_counted_from_the_beginning() {
        let mut rows = Rows::new([batch(0, 3), batch(3, 3)].into_iter());
        assert!(rows.next(3, count).unwrap().is_some());
        let wrong = |_: &[Tensor]| {
            Err(ClientError::NotFinite {
                tensor: "x".into(),
                sample: 1,
                element: 0,
                value: f64::NAN,
            })
        };
        let error = rows.next(3, wrong).unwrap_err();
        assert!(matches!(error, ClientError::NotFinite { sample: 4, .. }));
    }
}
