//! Declarations in AML (ACPI 6.5, ch. 20), without an interpreter.
/// Deepest nesting of scopes, devices and packages that is followed.
const DEEPEST: u32 = 24;

const ZERO: u8 = 0x00;
const ONE: u8 = 0x01;
const ALIAS: u8 = 0x06;
const NAME: u8 = 0x08;
const BYTE: u8 = 0x0a;
const WORD: u8 = 0x0b;
const DOUBLE_WORD: u8 = 0x0c;
const STRING: u8 = 0x0d;
const QUAD_WORD: u8 = 0x0e;
const SCOPE: u8 = 0x10;
const BUFFER: u8 = 0x11;
const PACKAGE: u8 = 0x12;
const VARIABLE_PACKAGE: u8 = 0x13;
const METHOD: u8 = 0x14;
const EXTERNAL: u8 = 0x15;
const DUAL_NAME: u8 = 0x2e;
const MULTIPLE_NAME: u8 = 0x2f;
const EXTENDED: u8 = 0x5b;
const ROOT: u8 = b'\\';
const PARENT: u8 = b'^';
const RETURN: u8 = 0xa4;
const IF: u8 = 0xa0;
const ELSE: u8 = 0xa1;
const WHILE: u8 = 0xa2;
const ONES: u8 = 0xff;

const EXTENDED_MUTEX: u8 = 0x01;
const EXTENDED_EVENT: u8 = 0x02;
const EXTENDED_REGION: u8 = 0x80;
const EXTENDED_FIELD: u8 = 0x81;
const EXTENDED_DEVICE: u8 = 0x82;
const EXTENDED_PROCESSOR: u8 = 0x83;
const EXTENDED_POWER: u8 = 0x84;
const EXTENDED_THERMAL: u8 = 0x85;
const EXTENDED_INDEX_FIELD: u8 = 0x86;
const EXTENDED_BANK_FIELD: u8 = 0x87;

/// Constant data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Value<'a> {
    Integer(u64),
    String(&'a [u8]),
    Buffer(&'a [u8]),
    /// The elements, unread.
    Package(&'a [u8]),
    /// Something that is not constant: the name of another object.
    Reference,
}

/// What a device declares about itself.
#[derive(Clone, Copy, Debug, Default)]
pub struct Device<'a> {
    /// `_HID`.
    pub identifier: Option<Value<'a>>,
    /// `_CRS`: a resource template.
    pub resources: Option<&'a [u8]>,
    /// `_CBA`: where the configuration space of a PCI host bridge is.
    pub configuration_base: Option<u64>,
}

/// Code, read from the front.
#[derive(Clone, Copy)]
struct Code<'a>(&'a [u8]);

impl<'a> Code<'a> {
    fn byte(&mut self) -> Option<u8> {
        let (&byte, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(byte)
    }

    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }

    fn number(&mut self, bytes: usize) -> Option<u64> {
        Some(self.take(bytes)?.iter().rev().fold(0, |number, &byte| number << 8 | u64::from(byte)))
    }

    /// A package length (20.2.4), and the code that it covers after itself.
    fn block(&mut self) -> Option<Self> {
        let whole = self.0.len();
        let lead = self.byte()?;
        let mut length = usize::from(lead & 0x3f);
        let following = usize::from(lead >> 6);
        if following > 0 {
            length = usize::from(lead & 0xf);
            for index in 0..following {
                length |= usize::from(self.byte()?) << (4 + 8 * index);
            }
        }
        let own = whole - self.0.len();
        self.take(length.checked_sub(own)?).map(Code)
    }

    /// A name (20.2.2); answers its last segment.
    fn name(&mut self) -> Option<&'a [u8]> {
        while matches!(self.0.first(), Some(&(ROOT | PARENT))) {
            self.byte()?;
        }
        let segments = match *self.0.first()? {
            ZERO => {
                self.byte()?;
                return Some(&[]);
            }
            DUAL_NAME => {
                self.byte()?;
                2
            }
            MULTIPLE_NAME => {
                self.byte()?;
                usize::from(self.byte()?)
            }
            b'A'..=b'Z' | b'_' => 1,
            _ => return None,
        };
        let all = self.take(4 * segments)?;
        all.chunks_exact(4).next_back()
    }

    /// Constant data; `None` at anything else.
    fn value(&mut self, depth: u32) -> Option<Value<'a>> {
        let mut after = *self;
        let value = match after.byte()? {
            ZERO => Value::Integer(0),
            ONE => Value::Integer(1),
            ONES => Value::Integer(u64::MAX),
            BYTE => Value::Integer(after.number(1)?),
            WORD => Value::Integer(after.number(2)?),
            DOUBLE_WORD => Value::Integer(after.number(4)?),
            QUAD_WORD => Value::Integer(after.number(8)?),
            STRING => {
                let length = after.0.iter().position(|&byte| byte == 0)?;
                let text = after.take(length)?;
                after.byte()?;
                Value::String(text)
            }
            BUFFER if depth > 0 => {
                let mut block = after.block()?;
                // The size comes first; what the initialiser leaves out is zeros, which no template has.
                let Value::Integer(_) = block.value(depth - 1)? else { return None };
                Value::Buffer(block.0)
            }
            PACKAGE | VARIABLE_PACKAGE if depth > 0 => {
                let mut block = after.block()?;
                block.byte()?;
                Value::Package(block.0)
            }
            _ => {
                after = *self;
                after.name()?;
                Value::Reference
            }
        };
        *self = after;
        Some(value)
    }
}

/// What a scope tells whoever walks it.
trait Walker<'a> {
    /// `Name (segment, value)`.
    fn name(&mut self, segment: &'a [u8], value: Value<'a>);
    /// `Device`: walk its content.
    fn device(&mut self, content: Code<'a>, depth: u32);
}

/// Walks declarations to the scope's end, or to the first thing that is none.
fn walk<'a>(mut code: Code<'a>, depth: u32, walker: &mut dyn Walker<'a>) {
    while depth > 0 && !code.0.is_empty() && one(&mut code, depth, walker).is_some() {}
}

fn one<'a>(code: &mut Code<'a>, depth: u32, walker: &mut dyn Walker<'a>) -> Option<()> {
    match code.byte()? {
        NAME => {
            let segment = code.name()?;
            walker.name(segment, code.value(depth)?);
        }
        ALIAS => {
            code.name()?;
            code.name()?;
        }
        EXTERNAL => {
            code.name()?;
            code.take(2)?;
        }
        SCOPE => {
            let mut block = code.block()?;
            block.name()?;
            walk(block, depth - 1, walker);
        }
        METHOD => {
            let block = code.block()?;
            if let Some((segment, value)) = constant_method(block, depth) {
                walker.name(segment, value);
            }
        }
        IF | ELSE | WHILE => {
            code.block()?;
        }
        EXTENDED => extended(code, depth, walker)?,
        _ => return None,
    }
    Some(())
}

/// A method that does nothing but return a constant declares it as well as a name would.
fn constant_method<'a>(mut code: Code<'a>, depth: u32) -> Option<(&'a [u8], Value<'a>)> {
    let segment = code.name()?;
    let _flags = code.byte()?;
    if code.byte()? != RETURN {
        return None;
    }
    let value = code.value(depth)?;
    code.0.is_empty().then_some((segment, value))
}

fn extended<'a>(code: &mut Code<'a>, depth: u32, walker: &mut dyn Walker<'a>) -> Option<()> {
    match code.byte()? {
        EXTENDED_DEVICE => {
            let mut block = code.block()?;
            block.name()?;
            walker.device(block, depth - 1);
        }
        EXTENDED_PROCESSOR | EXTENDED_POWER | EXTENDED_THERMAL | EXTENDED_FIELD | EXTENDED_INDEX_FIELD
        | EXTENDED_BANK_FIELD => {
            code.block()?;
        }
        EXTENDED_REGION => {
            code.name()?;
            code.byte()?;
            code.value(depth)?;
            code.value(depth)?;
        }
        EXTENDED_MUTEX => {
            code.name()?;
            code.byte()?;
        }
        EXTENDED_EVENT => {
            code.name()?;
        }
        _ => return None,
    }
    Some(())
}

struct Devices<'a, 'b> {
    device: Device<'a>,
    found: &'b mut dyn FnMut(&Device<'a>),
}

impl<'a> Walker<'a> for Devices<'a, '_> {
    fn name(&mut self, segment: &'a [u8], value: Value<'a>) {
        match (segment, value) {
            (b"_HID", value) => self.device.identifier = Some(value),
            (b"_CBA", Value::Integer(base)) => self.device.configuration_base = Some(base),
            (b"_CRS", Value::Buffer(template)) => self.device.resources = Some(template),
            _ => {}
        }
    }

    fn device(&mut self, content: Code<'a>, depth: u32) {
        let mut inner = Devices { device: Device::default(), found: &mut *self.found };
        walk(content, depth, &mut inner);
        let device = inner.device;
        (self.found)(&device);
    }
}

/// Shows every device that the code declares to `found`, inner ones before the outer.
pub fn for_each_device<'a>(code: &'a [u8], found: &mut dyn FnMut(&Device<'a>)) {
    walk(Code(code), DEEPEST, &mut Devices { device: Device::default(), found });
}

#[derive(Default)]
struct SleepState {
    found: Option<(u8, u8)>,
}

impl<'a> Walker<'a> for SleepState {
    fn name(&mut self, segment: &'a [u8], value: Value<'a>) {
        if let (b"_S5_", Value::Package(elements)) = (segment, value) {
            let mut elements = Code(elements);
            let mut next = || match elements.value(1) {
                Some(Value::Integer(number)) => Some(number as u8),
                _ => None,
            };
            if let Some(first) = next() {
                self.found = Some((first, next().unwrap_or(first)));
            }
        }
    }

    fn device(&mut self, _: Code<'a>, _: u32) {}
}

/// The sleep types of `\_S5` for the two control registers (7.3.4.6).
pub fn sleep_state_5(code: &[u8]) -> Option<(u8, u8)> {
    let mut state = SleepState::default();
    walk(Code(code), DEEPEST, &mut state);
    state.found
}

/// Whether the outermost scope consists of nothing but declarations: for reports.
pub fn is_readable(code: &[u8]) -> bool {
    let mut code = Code(code);
    let mut nobody = SleepState::default();
    while !code.0.is_empty() {
        if one(&mut code, DEEPEST, &mut nobody).is_none() {
            return false;
        }
    }
    true
}
