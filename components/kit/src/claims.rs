//! Creation on a store whose swap overwrites where it found nothing, as that of Spin's default store does.
//!
//! There `swap` is a compare-and-swap on a key that is present and a plain write on one that is absent: of two creators
//! the slower one wipes out what the faster one created, and all that was built on it. Everything here is to keep
//! [`crate::Ports::swap`]'s promise all the same.
//!
//! What such a store does have: `increment`, which is atomic and creates its word, and a true swap on what is present. A
//! word that was incremented must stay a number for ever: Spin's store ends itself where it meets anything else.
//!
//! **The protocol.** Beside a key lies its *claim word*, a number. Whoever wants to create the key
//! 1. increments the word and so gets a number `n` that nobody else has;
//! 2. writes *blank* into cell `n`: the key itself for 1, `<key>=cell-<n>` for any other. Nobody else ever writes a cell
//!    without a swap, and `n` does so once, so from here on the cell is present and every swap of it is a true one;
//! 3. *seals* the word by a swap from a number of claims to "cell `n` it is". The first seal stays: nobody swaps a sealed
//!    word, and an increment that comes late changes the count beside the seal only;
//! 4. swaps the sealed cell from blank to the value, as anybody may who finds it blank.
//!
//! A value therefore lies in the sealed cell alone, and a key that holds more than a blank is the sealed cell: reading a
//! key that exists costs nothing more than without all this. Only where it is absent or blank the word is asked.
//!
//! **Death.** Before the increment nothing has happened. After it, a number is lost; the next creator takes the next one.
//! After the blank, cell `n` is an empty place that the next creator may seal, its own or, where it is the key itself,
//! this one. After the seal, the next creator finds the cell blank and swaps it. Nobody waits for anybody, so a creator
//! that was only slow does no harm: its blank goes to its own cell, its seal and its swap fail.
//!
//! **Answers that are lost.** An increment or a blank whose answer is lost is given up, and the next try takes a new
//! number: the lost blank may still land, in a cell that is only its own. A lost seal is found by reading the word.
//!
//! A key is either created by a swap or only ever set: a set that races with a creation is not kept apart from it.
//! `claims/tests.rs` walks every interleaving of two creators, with deaths and lost answers at every step, and finds
//! the loss at once where the protocol is left out.

use crate::ports::{Entry, StoreError, SwapError};
use word::Word;

mod word;

/// What an empty cell holds: no value of ours, and of no component's.
const BLANK: &[u8] = b"\0a4co\0blank\0cell\0";
/// Seals that may fail in a row: each time somebody else came nearer to creating the key.
const MAX_TRIES: usize = 16;

/// A store as a host has it. Its swap may overwrite where its read found nothing.
#[expect(async_fn_in_trait, reason = "a component runs on one thread; the simulation too")]
pub trait Cells {
    /// What a swap needs.
    type Token;

    /// Reads a key in order to swap it.
    async fn read(&self, key: &str) -> Result<Entry<Self::Token>, StoreError>;

    /// Writes if nobody wrote since the read; where the read found nothing, perhaps in any case.
    async fn swap(&self, token: Self::Token, value: Vec<u8>) -> Result<(), SwapError>;

    /// Reads a key.
    async fn get(&self, key: &str) -> Result<Option<Vec<u8>>, StoreError>;

    /// Reads several keys, in their order.
    async fn get_many(&self, keys: &[String]) -> Result<Vec<Option<Vec<u8>>>, StoreError>;

    /// Writes a key, whatever it holds.
    async fn set(&self, key: &str, value: Vec<u8>) -> Result<(), StoreError>;

    /// Deletes a key.
    async fn delete(&self, key: &str) -> Result<(), StoreError>;

    /// Adds 1 to a number in one step, and answers the sum; an absent key counts as 0.
    async fn increment(&self, key: &str) -> Result<i64, StoreError>;
}

/// What a swap needs.
#[derive(Debug)]
pub enum Token<T> {
    /// The cell is there: a true swap.
    Cell(T),
    /// The key was not created yet; its name.
    Unborn(String),
}

/// A store on which creation is safe, made of one on which it is not.
#[derive(Debug, Clone, Copy)]
pub struct Claims<'a, S>(pub &'a S);

impl<S: Cells> Claims<'_, S> {
    /// Reads a key in order to swap it.
    ///
    /// # Errors
    /// Where the store does not answer.
    pub async fn read(&self, key: &str) -> Result<Entry<Token<S::Token>>, StoreError> {
        let Entry { value, token } = self.0.read(key).await?;
        if value.as_deref().is_some_and(|bytes| bytes != BLANK) {
            return Ok(Entry { value, token: Token::Cell(token) });
        }
        match self.sealed(key).await? {
            None => Ok(Entry { value: None, token: Token::Unborn(key.to_owned()) }),
            Some(number) => {
                let Entry { value, token } = self.0.read(&cell(key, number)).await?;
                Ok(Entry { value: value.filter(|bytes| bytes != BLANK), token: Token::Cell(token) })
            }
        }
    }

    /// Writes if nobody wrote since the read, and where the read found nothing, if nobody has created the key since.
    ///
    /// # Errors
    /// As [`crate::Ports::swap`].
    pub async fn swap(&self, token: Token<S::Token>, value: Vec<u8>) -> Result<(), SwapError> {
        match token {
            Token::Cell(token) => self.0.swap(token, value).await,
            Token::Unborn(key) => self.create(&key, value).await,
        }
    }

    /// Reads a key.
    ///
    /// # Errors
    /// Where the store does not answer.
    pub async fn get(&self, key: &str) -> Result<Option<Vec<u8>>, StoreError> {
        let value = self.0.get(key).await?;
        if value.as_deref().is_some_and(|bytes| bytes != BLANK) {
            return Ok(value);
        }
        match self.sealed(key).await? {
            Some(number) if number > 1 => Ok(self.0.get(&cell(key, number)).await?.filter(|bytes| bytes != BLANK)),
            // Sealed or not, the key itself holds nothing.
            _ => Ok(None),
        }
    }

    /// Reads several keys, in their order.
    ///
    /// # Errors
    /// Where the store does not answer.
    pub async fn get_many(&self, keys: &[String]) -> Result<Vec<Option<Vec<u8>>>, StoreError> {
        let mut values = self.0.get_many(keys).await?;
        for (key, value) in keys.iter().zip(&mut values) {
            if value.as_deref().is_none_or(|bytes| bytes == BLANK) {
                *value = self.get(key).await?;
            }
        }
        Ok(values)
    }

    /// Writes a key, whatever it holds.
    ///
    /// # Errors
    /// Where the store does not answer.
    pub async fn set(&self, key: &str, value: Vec<u8>) -> Result<(), StoreError> {
        let number = self.number_of(key).await?;
        self.0.set(&cell(key, number), value).await
    }

    /// Deletes a key. One that was created keeps its cell, so that nobody has to claim it again.
    ///
    /// # Errors
    /// Where the store does not answer.
    pub async fn delete(&self, key: &str) -> Result<(), StoreError> {
        match self.sealed(key).await? {
            Some(number) => self.0.set(&cell(key, number), BLANK.to_vec()).await,
            None => self.0.delete(key).await,
        }
    }

    async fn number_of(&self, key: &str) -> Result<i64, StoreError> {
        let there = self.0.get(key).await?.is_some_and(|bytes| bytes != BLANK);
        Ok(if there { 1 } else { self.sealed(key).await?.unwrap_or(1) })
    }

    /// The number of the sealed cell; `None` where the key was not created.
    async fn sealed(&self, key: &str) -> Result<Option<i64>, StoreError> {
        match self.0.get(&word_key(key)).await? {
            Some(bytes) => Ok(Word::read(key, &bytes)?.sealed()),
            None => Ok(None),
        }
    }

    async fn create(&self, key: &str, value: Vec<u8>) -> Result<(), SwapError> {
        if self.sealed(key).await.map_err(unknown)?.is_some() {
            return Err(SwapError::Conflict);
        }
        let number = self.offer(key).await.map_err(unknown)?;
        if !self.seal(key, number).await? {
            return Err(SwapError::Conflict);
        }
        let Entry { value: there, token } = self.0.read(&cell(key, number)).await.map_err(unknown)?;
        if there.as_deref() != Some(BLANK) {
            return Err(SwapError::Conflict);
        }
        self.0.swap(token, value).await
    }

    /// Makes a blank cell, or finds one; its number.
    async fn offer(&self, key: &str) -> Result<i64, StoreError> {
        let number = self.0.increment(&word_key(key)).await?;
        let number = Word::claims(number);
        // The key itself is the better place: whoever finds its value there needs no word.
        if number > 1 && self.0.get(key).await?.as_deref() == Some(BLANK) {
            return Ok(1);
        }
        self.0.set(&cell(key, number), BLANK.to_vec()).await?;
        Ok(number)
    }

    /// Seals the word for a cell; false where another one is sealed.
    async fn seal(&self, key: &str, number: i64) -> Result<bool, SwapError> {
        for _ in 0..MAX_TRIES {
            let Entry { value, token } = self.0.read(&word_key(key)).await.map_err(unknown)?;
            let Some(bytes) = value else { return Err(SwapError::Conflict) };
            let word = Word::read(key, &bytes).map_err(unknown)?;
            if let Some(sealed) = word.sealed() {
                return Ok(sealed == number);
            }
            match self.0.swap(token, word.seal(number)).await {
                Ok(()) => return Ok(true),
                // The word tells, at the next look.
                Err(SwapError::Conflict | SwapError::Unknown(_)) => {}
            }
        }
        Err(SwapError::Conflict)
    }
}

/// Nothing is in place that somebody could take for the value: to load again is right, and costs no more.
fn unknown(error: StoreError) -> SwapError {
    SwapError::Unknown(error.0)
}

/// No key of [`crate::keys`] ends like this: there `=` is followed by two hexadecimal digits.
fn word_key(key: &str) -> String {
    format!("{key}=word")
}

fn cell(key: &str, number: i64) -> String {
    if number == 1 { key.to_owned() } else { format!("{key}=cell-{number}") }
}

#[cfg(test)]
mod tests;
