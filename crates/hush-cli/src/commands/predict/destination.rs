//! Where outputs go while they come.

use std::fs::File;
use std::io::BufWriter;
use std::path::Path;

use hush_client::Tensor;
use hush_program::ClientSpec;
use serde_json::{Value, json};

use super::resume::{Kept, Task};
use crate::arrays::{self, Elements, Format, Named, Written, join};
use crate::failure::{Failure, Result};
use crate::output::{Access, Existing, Output};

/// Where outputs go.
pub(crate) struct Destination {
    names: Vec<String>,
    elements: Elements,
    place: Place,
}

enum Place {
    /// A file that appears at the end.
    Whole(Box<Written<Output>>),
    /// A file that stays unfinished when the command is interrupted.
    Kept(Box<Written<BufWriter<File>>>, Kept),
    /// Memory: for an archive, and for what is printed.
    Memory(Option<(Output, Format)>, Vec<Named>),
}

impl Destination {
    /// Opens it; with `resume`, behind what an interrupted command finished of the same task.
    pub(crate) fn create(
        output: Option<&Path>,
        spec: &ClientSpec,
        elements: Elements,
        resume: bool,
        task: Task,
    ) -> Result<Self> {
        let names: Vec<_> = spec
            .outputs
            .iter()
            .map(|tensor| tensor.name.clone())
            .collect();
        let place = match output {
            None => Place::Memory(None, Vec::new()),
            Some(path) => {
                let format = Format::of_output(path)?;
                if format == Format::Npz {
                    if resume {
                        return Err(Failure::new("an .npz file is written as a whole")
                            .hint("name an .npy or .csv file, or leave out --resume")
                            .into());
                    }
                    let file = Output::create(path, Access::Shared, Existing::Replace)?;
                    Place::Memory(Some((file, format)), Vec::new())
                } else if names.len() != 1 {
                    let message = format!(
                        "{} output tensors do not fit into one .npy or .csv file",
                        names.len()
                    );
                    return Err(Failure::new(message)
                        .hint("write to a file name that ends in .npz")
                        .into());
                } else if resume {
                    let (file, kept) = Kept::open(path, task)?;
                    let written = Written::new(file, format, elements, kept.shape());
                    Place::Kept(Box::new(written), kept)
                } else {
                    let file = Output::create(path, Access::Shared, Existing::Replace)?;
                    Place::Whole(Box::new(Written::new(file, format, elements, None)))
                }
            }
        };
        Ok(Self {
            names,
            elements,
            place,
        })
    }

    /// Samples that were finished before.
    pub(crate) fn finished(&self) -> u64 {
        match &self.place {
            Place::Kept(_, kept) => kept.finished(),
            _ => 0,
        }
    }

    /// Adds the outputs of some samples.
    pub(crate) fn add(&mut self, outputs: Vec<Tensor>) -> Result<()> {
        match (&mut self.place, &outputs[..]) {
            (Place::Whole(written), [tensor]) => written.add(&self.names[0], tensor),
            (Place::Kept(written, kept), [tensor]) => {
                written.add(&self.names[0], tensor)?;
                kept.note_now_and_then(written)
            }
            (Place::Memory(_, arrays), _) => {
                let names = self.names.iter().map(|name| Some(name.clone()));
                let named = names.zip(outputs);
                let named = named.map(|(name, tensor)| Named { name, tensor });
                join(arrays, named.collect())
            }
            _ => Err(Failure::new("the model gave another number of outputs than it says").into()),
        }
    }

    /// After a failure: what is finished is noted, if it is to be kept.
    pub(crate) fn keep(self) {
        if let Place::Kept(mut written, mut kept) = self.place {
            // The failure that led here is what people should hear of.
            let _ = kept.note(&mut written);
        }
    }

    /// Puts the file in place. What to print if there is none, and what to tell machines.
    pub(crate) fn finish(self) -> Result<(String, Value)> {
        match self.place {
            Place::Whole(written) => {
                let shape = shape(&self.names, written.shape());
                let path = written.finish()?.commit_path()?;
                Ok((String::new(), json!({ "path": path, "arrays": shape })))
            }
            Place::Kept(written, kept) => {
                let shape = shape(&self.names, written.shape());
                let path = kept.finish(written.finish()?)?;
                Ok((String::new(), json!({ "path": path, "arrays": shape })))
            }
            Place::Memory(Some((mut file, format)), arrays) => {
                arrays::write(&mut file, format, &arrays, self.elements)?;
                let shapes: Vec<_> = arrays
                    .iter()
                    .map(|array| json!({ "name": array.name, "shape": array.tensor.shape() }))
                    .collect();
                let path = file.commit_path()?;
                Ok((String::new(), json!({ "path": path, "arrays": shapes })))
            }
            Place::Memory(None, arrays) => {
                let mut text = Vec::new();
                for array in &arrays {
                    arrays::csv::write(&mut text, array)?;
                }
                let text = String::from_utf8(text)?.trim_end().to_owned();
                let outputs: Vec<_> = arrays
                    .iter()
                    .map(|array| {
                        let tensor = &array.tensor;
                        json!({ "name": array.name, "shape": tensor.shape(), "data": tensor.data() })
                    })
                    .collect();
                Ok((text, json!({ "arrays": outputs })))
            }
        }
    }
}

fn shape(names: &[String], shape: Option<&[usize]>) -> Value {
    json!([{ "name": names[0], "shape": shape }])
}
