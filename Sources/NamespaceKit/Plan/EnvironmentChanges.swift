// SPDX-License-Identifier: Apache-2.0

extension [EnvironmentRequest.Change] {
    /// An environment after the changes, in their order: what is set comes last, where it was set last.
    ///
    /// An image or a specification may set as many variables as its file has room for, so each is looked up among
    /// sorted names and not among all others.
    func applied(to environment: [ByteString]) -> [ByteString] {
        if isEmpty { return environment }
        var start = 0
        for index in indices where self[index] == .clear { start = index + 1 }
        // By name, those about one name in their order: the last of them counts.
        let order = (start..<count).sorted { left, right in
            self[left].name.precedes(self[right].name)
                || self[left].name == self[right].name && left < right
        }
        var names: [ByteString] = []
        var counts = [Bool](repeating: false, count: count)
        for (place, index) in order.enumerated() {
            let name = self[index].name
            if place + 1 < order.count, self[order[place + 1]].name == name { continue }
            names.append(name)
            counts[index] = true
        }
        var entries: [ByteString] = []
        for entry in environment where start == 0 {
            let sign = entry.firstIndex(of: UInt8(ascii: "="))
            let isChanged = sign.map { names.containSorted(entry.bytes[..<$0]) } ?? false
            if !isChanged { entries.append(entry) }
        }
        for index in start..<count where counts[index] {
            if case .set(let name, let value) = self[index] {
                entries.append(name + "=" + value)
            }
        }
        return entries
    }
}

extension EnvironmentRequest.Change {
    /// Empty for one that is about all of them.
    fileprivate var name: ByteString {
        switch self {
        case .set(let name, _), .unset(let name): name
        case .clear: ""
        }
    }
}

extension ByteString {
    /// Comes before another one by its bytes.
    func precedes(_ other: ByteString) -> Bool { bytes.lexicographicallyPrecedes(other.bytes) }
}

extension [ByteString] {
    /// Whether a text is among these, which are sorted by their bytes.
    func containSorted(_ text: ArraySlice<UInt8>) -> Bool {
        var low = 0
        var high = count
        while low < high {
            let middle = (low + high) / 2
            if self[middle].bytes.lexicographicallyPrecedes(text) {
                low = middle + 1
            } else {
                high = middle
            }
        }
        return low < count && self[low].bytes.elementsEqual(text)
    }

    /// The place of the first text that is there before already. Many are sorted, not compared with each other.
    var firstRepeated: Int? {
        let order = indices.sorted { left, right in
            self[left].precedes(self[right]) || self[left] == self[right] && left < right
        }
        var first: Int?
        for place in order.indices.dropFirst() where self[order[place]] == self[order[place - 1]] {
            first = Swift.min(first ?? order[place], order[place])
        }
        return first
    }
}
