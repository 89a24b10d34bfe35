//! The first stack of a program (System V ABI for x86-64, "Process Initialization"), laid out as Linux does.
//!
//! From the top: eight zero bytes, file name, environment, arguments, a gap, "x86_64", sixteen random bytes, a gap,
//! auxiliary vector, environment pointers, argument pointers, `argc`. The last is on a boundary of 16 bytes.
use crate::PAGE;
use crate::arguments::{Arguments, Strings};
use crate::auxiliary::{self, AuxiliaryValues, Vector};
use abi::Errno;
use alloc::vec::Vec;
use zerocopy::IntoBytes;

const PLATFORM: &[u8] = b"x86_64\0";

/// Where things are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StackLayout {
    /// RSP at the entry point: `argc` is there.
    pub stack_pointer: u64,
    /// The strings, for `/proc/PID/cmdline` and `environ`.
    pub argument_start: u64,
    pub argument_end: u64,
    pub environment_start: u64,
    pub environment_end: u64,
}

/// A stack ready to be written.
#[derive(Debug)]
pub struct StackImage<'a> {
    arguments: &'a Arguments,
    layout: StackLayout,
    vector: Vector,
    random: [u8; 16],
    /// Address of the random bytes; the platform's name follows.
    random_address: u64,
}

impl<'a> StackImage<'a> {
    /// `top` is the end of the stack's mapping, a page boundary. `jitter` is how far randomisation moves the pointers away from
    /// the strings: Linux draws it below 8192, 0 without randomisation. E2BIG where `top` is too low for it all.
    pub fn new(
        arguments: &'a Arguments,
        values: &AuxiliaryValues,
        random: [u8; 16],
        top: u64,
        jitter: u64,
    ) -> Result<Self, Errno> {
        let below = |address: u64, length: u64| address.checked_sub(length).ok_or(Errno::E2BIG);
        let file_name = below(top, 8 + arguments.file_name.len() as u64)?;
        let environment_start = below(file_name, arguments.length(Strings::Environment))?;
        let argument_start = below(environment_start, arguments.length(Strings::Arguments))?;
        let platform = below(below(argument_start, jitter)? & !15, PLATFORM.len() as u64)?;
        let random_address = below(platform, random.len() as u64)?;
        let addresses = auxiliary::Strings { random: random_address, file_name, platform };
        let vector = Vector::new(values, &addresses);
        let pointers = arguments.count(Strings::Arguments) + arguments.count(Strings::Environment) + 3;
        // Linux aligns the vector's end only by aligning what is below it.
        let table = (random_address & !7, vector.words().len() as u64 + pointers);
        let stack_pointer = below(table.0, 8 * table.1)? & !15;
        let layout = StackLayout {
            stack_pointer,
            argument_start,
            argument_end: environment_start,
            environment_start,
            environment_end: file_name,
        };
        Ok(Self { arguments, layout, vector, random, random_address })
    }

    pub fn layout(&self) -> StackLayout {
        self.layout
    }

    /// Types and values in turn, for `/proc/PID/auxv`.
    pub fn auxiliary_vector(&self) -> &[u64] {
        self.vector.words()
    }

    /// Hands all bytes to `write`, upwards, in pieces that do not cross a page boundary. What lies between the pieces is
    /// zero in a new stack and is left alone. ENOMEM, or what `write` says.
    pub fn write_to(&self, mut write: impl FnMut(u64, &[u8]) -> Result<(), Errno>) -> Result<(), Errno> {
        let mut pieces = Pieces::new(self.layout.stack_pointer, &mut write)?;
        let argument_count = self.arguments.count(Strings::Arguments);
        pieces.put(argument_count.as_bytes())?;
        self.put_pointers(&mut pieces, Strings::Arguments, self.layout.argument_start)?;
        self.put_pointers(&mut pieces, Strings::Environment, self.layout.environment_start)?;
        pieces.put(self.vector.words().as_bytes())?;
        pieces.go_to(self.random_address)?;
        pieces.put(&self.random)?;
        pieces.put(PLATFORM)?;
        pieces.go_to(self.layout.argument_start)?;
        for list in [Strings::Arguments, Strings::Environment] {
            self.arguments.bytes(list).try_for_each(|bytes| pieces.put(bytes))?;
        }
        pieces.put(&self.arguments.file_name)?;
        pieces.flush()
    }

    /// The addresses of the list's strings, then a null pointer.
    fn put_pointers(&self, pieces: &mut Pieces<'_>, list: Strings, start: u64) -> Result<(), Errno> {
        let mut address = start;
        // The count, too: the space was measured by it.
        for (_, length) in (0..self.arguments.count(list)).zip(self.arguments.lengths(list)) {
            pieces.put(address.as_bytes())?;
            address += length;
        }
        pieces.put(0_u64.as_bytes())
    }
}

/// Where the bytes go.
type Write<'a> = &'a mut dyn FnMut(u64, &[u8]) -> Result<(), Errno>;

/// Gathers bytes up to a page boundary.
struct Pieces<'a> {
    address: u64,
    gathered: Vec<u8>,
    write: Write<'a>,
}

impl<'a> Pieces<'a> {
    fn new(address: u64, write: Write<'a>) -> Result<Self, Errno> {
        let mut gathered = Vec::new();
        gathered.try_reserve_exact(abi::PAGE_SIZE).map_err(|_| Errno::ENOMEM)?;
        Ok(Self { address, gathered, write })
    }

    fn put(&mut self, mut bytes: &[u8]) -> Result<(), Errno> {
        while !bytes.is_empty() {
            let room = (PAGE - self.address % PAGE) as usize - self.gathered.len();
            let (now, later) = bytes.split_at(bytes.len().min(room));
            self.gathered.extend_from_slice(now);
            bytes = later;
            if now.len() == room {
                self.flush()?;
            }
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<(), Errno> {
        if !self.gathered.is_empty() {
            (self.write)(self.address, &self.gathered)?;
            self.address += self.gathered.len() as u64;
            self.gathered.clear();
        }
        Ok(())
    }

    fn go_to(&mut self, address: u64) -> Result<(), Errno> {
        self.flush()?;
        self.address = address;
        Ok(())
    }
}
